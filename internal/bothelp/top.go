package bothelp

import (
	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/chars"
)

// top reads the members of the object that the text is, or that stands alone in an array.
func (d *decoding) top(text []byte) {
	c := d.cursor
	c.reset(text)
	inArray := c.open('[')
	if !c.open('{') {
		d.noObject(text, inArray)
		return
	}
	for c.next() {
		d.topMember()
	}
	d.end(inArray)
}

// wrapped reads {"subscriber": {…}} as if the inner object were the body.
func (d *decoding) wrapped(wrapper object) {
	d.objects = d.objects[:0]
	d.cursor.reset(wrapper.text)
	d.cursor.open('{')
	for d.cursor.next() {
		d.topMember()
	}
}

// topMember puts the cursor's member of the top level where it belongs, or aside until the kind of body is known. A
// value that comes twice counts as it came last, unless it is absent then.
func (d *decoding) topMember() {
	c := d.cursor
	d.members++
	name := d.unquote(&d.nameBuf, c.name)
	d.noteReplaced(name)
	target := column(&d.out, name)
	d.keyed = d.keyed || target != nil
	switch {
	case target == nil && c.value.Kind() == '{' && len(d.objects) < maxObjects:
		d.objects = append(d.objects, object{path: string(chars.Cut(name, maxText)), text: c.value, whole: !c.part, down: 1})
	case c.part:
		// Half an object is no value.
	case target != nil:
		d.set(target, name, c.value)
	case string(name) == keyEvent:
		replace(&d.event, c.value)
	case string(name) == keyEventTimestamp:
		replace(&d.stamp, c.value)
	case string(name) == keyCreatedAtShow:
		d.keyed = true
		replace(&d.shown, c.value)
	default:
		d.field(name, c.value)
	}
}

// replace puts value in place of the one that came before under the same name, unless it is absent.
func replace(held *jsontext.Value, value jsontext.Value) {
	if value.Kind() != 'n' && string(value) != `""` {
		*held = value
	}
}
