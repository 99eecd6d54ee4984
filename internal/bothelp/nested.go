package bothelp

import (
	"slices"
	"strings"

	"hooktape/internal/chars"
	"hooktape/internal/event"
)

// object is an object inside the body.
type object struct {
	path  string // its name, after those of the objects around it: conversation.subscriber
	text  []byte // begins with the object, and ends with it if it is whole
	whole bool
	down  int // its depth; 1 in the top level
}

func (o object) isSubscriber() bool {
	return o.path == subscriberObject || strings.HasSuffix(o.path, "."+subscriberObject)
}

// nested reads the objects in the top level.
//
// A flow webhook is flat: an object in it is a custom field and stays whole, except one called subscriber. BotHelp's
// pages do not document where a chat webhook has the subscriber, so all its objects are opened, and so are those of a
// body without a subscriber's key at the top.
//
// A subscriber's keys are read from the objects called subscriber, if any, because others may describe other people
// (the operator who closed the conversation). Otherwise they are read from all objects, and later values replace
// earlier ones. The top level has precedence. All other members become fields with a dotted path as name.
func (d *decoding) nested() {
	if len(d.objects) == 0 {
		return
	}
	d.keepFlat()
	next := len(d.objects) // the next one that was opened
	for i := 0; i < len(d.objects); i++ {
		d.open(d.objects[i])
	}
	anywhere := !slices.ContainsFunc(d.objects, object.isSubscriber)
	top := d.out
	c := d.cursor
	for _, o := range d.objects {
		c.reset(o.text)
		for c.open('{'); c.next(); {
			if next < len(d.objects) && &c.value[0] == &d.objects[next].text[0] {
				next++
				continue
			}
			if !c.part {
				d.nestedMember(o, anywhere || o.isSubscriber(), &top)
			}
		}
	}
	if d.keyed && !d.chat {
		d.out.Kind = event.KindFlow
	}
}

// keepFlat turns the objects of the top level that are not opened into fields.
func (d *decoding) keepFlat() {
	if d.chat || !d.keyed {
		return
	}
	d.objects = slices.DeleteFunc(d.objects, func(o object) bool {
		if o.isSubscriber() {
			return false
		}
		if o.whole {
			d.field([]byte(o.path), o.text)
		}
		return true
	})
}

// open adds the objects in o to d.objects.
func (d *decoding) open(o object) {
	if o.down == maxDown {
		return
	}
	c := d.cursor
	c.reset(o.text)
	for c.open('{'); c.next(); {
		if c.value.Kind() == '{' && len(d.objects) < maxObjects {
			path := o.path + "." + string(chars.Cut(d.unquote(&d.nameBuf, c.name), maxText))
			d.noteReplaced([]byte(path))
			d.objects = append(d.objects, object{path: path, text: c.value, whole: !c.part, down: o.down + 1})
		}
	}
}

// nestedMember stores the cursor's member of o. Known keys fill columns if about is true, except for those that the top
// level has filled.
func (d *decoding) nestedMember(o object, about bool, top *event.Decoded) {
	c := d.cursor
	name := d.unquote(&d.nameBuf, c.name)
	d.pathBuf = append(append(append(d.pathBuf[:0], o.path...), '.'), name...)
	d.noteReplaced(d.pathBuf)
	if about && string(name) == keyCreatedAtShow {
		d.keyed = true
		if d.shown == nil {
			replace(&d.shown, c.value)
		}
		return
	}
	target := column(&d.out, name)
	if target == nil || !about || !empty(column(top, name)) {
		d.field(d.pathBuf, c.value)
		return
	}
	d.keyed = true
	d.set(target, d.pathBuf, c.value)
}
