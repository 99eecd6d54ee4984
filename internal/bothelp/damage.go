package bothelp

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// end looks at what follows the members of the top level.
func (d *decoding) end(inArray bool) {
	c := d.cursor
	if c.err == nil {
		_, c.err = c.dec.ReadToken() // the brace
	}
	if c.err == nil && inArray {
		if kind := c.dec.PeekKind(); kind != ']' && kind != 0 {
			d.faults.ofBody("an array of which only the first object was read")
			return
		}
		_, c.err = c.dec.ReadToken()
	}
	if c.err != nil {
		d.damaged()
		return
	}
	if rest := bytes.TrimLeft(c.text[c.offset():], jsonSpace); len(rest) > 0 {
		d.faults.ofBody("something after its JSON, from " + d.at(len(c.text)-len(rest)))
	}
}

// damaged notes where the JSON stops being one, and the key there.
func (d *decoding) damaged() {
	c := d.cursor
	problem := "not JSON from " + d.at(c.errOffset()) + " on"
	if c.wasCut() {
		problem = "ends too early, at " + d.at(c.errOffset())
	}
	if c.name != nil {
		problem += ", in " + label(d.unquote(&d.nameBuf, c.name))
	}
	d.faults.ofBody(problem)
}

// noObject notes what the body is instead of an object.
func (d *decoding) noObject(text []byte, inArray bool) {
	c := d.cursor
	if len(bytes.Trim(text, jsonSpace)) == 0 {
		d.faults.ofBody("empty")
		return
	}
	if inArray && c.dec.PeekKind() == ']' {
		d.faults.ofBody("an empty array")
		return
	}
	var value jsontext.Value
	if value, c.err = c.dec.ReadValue(); c.err != nil {
		d.damaged()
		return
	}
	if rest := bytes.TrimLeft(text[c.offset():], jsonSpace); !inArray && len(rest) > 0 {
		d.faults.ofBody("not JSON from " + d.at(len(text)-len(rest)) + " on")
		return
	}
	where := ""
	if inArray {
		where = " in an array"
	}
	d.faults.ofBody(kindName(value) + where + ", not an object")
}

// at names an offset of the cursor's text as one of the body.
func (d *decoding) at(offset int) string { return "byte " + strconv.Itoa(d.base+offset) }
