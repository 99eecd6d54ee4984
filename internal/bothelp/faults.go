package bothelp

import (
	"bytes"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/chars"
)

// faults collects decoding problems: that of the first key, and that of the body as a whole. Neither contains a value.
type faults struct{ key, body string }

// ofKey adds a problem with the value of a key.
func (f *faults) ofKey(name []byte, problem string) {
	if f.key == "" {
		f.key = label(name) + ": " + problem
	}
}

// ofBody adds a problem with the body as a whole.
func (f *faults) ofBody(problem string) {
	if f.body == "" {
		f.body = "body: " + problem
	}
}

// String returns the DecodeError.
func (f *faults) String() string {
	if f.key != "" && f.body != "" {
		return f.key + "; " + f.body
	}
	return f.key + f.body
}

// label returns a key's name for an error: unchanged, or quoted and shortened if it is long or not printable.
func label(name []byte) string {
	text := string(name)
	short := chars.Cut(name, maxLabel)
	printable := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
	switch {
	case len(short) < len(name):
		return strconv.Quote(string(short)) + "…"
	case printable && text != "":
		return text
	}
	return strconv.Quote(text)
}

// end checks the text after the members of the top level.
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

// damaged adds a fault with the place where the JSON ends or becomes invalid, and the key there.
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

// noObject adds a fault with the kind of a body that is not an object.
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

// at returns an offset of the cursor's text as one of the body, for a fault.
func (d *decoding) at(offset int) string { return "byte " + strconv.Itoa(d.base+offset) }
