package bothelp

import (
	"bytes"
	"net/http"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/chars"
	"hooktape/internal/event"
)

// Decode decodes as much of a request's body as possible, using the headers Content-Encoding and Content-Type. It never
// fails as a whole: DecodeError describes the parts that could not be decoded.
func Decode(req *event.Received) event.Decoded {
	d := decodings.Get().(*decoding)
	defer d.release()
	d.body(req)
	return d.out
}

// decoding is the state of decoding one body. The next body uses its buffers again.
type decoding struct {
	out    event.Decoded
	faults faults
	cursor *cursor

	base    int            // bytes of the body before the cursor's text
	members int            // at the top level
	keyed   bool           // a subscriber's key was found
	chat    bool           // it is a chat webhook
	event   jsontext.Value // of the top level, not empty
	stamp   jsontext.Value // event_timestamp, the same
	shown   jsontext.Value // created_at_show, of any level
	objects []object       // nested ones

	fieldBytes int  // of names and values of all fields
	replaced   bool // characters of the last name or value were replaced, and no fault added yet

	nameBuf, valueBuf, pathBuf []byte
}

var decodings = sync.Pool{New: func() any { return &decoding{cursor: new(cursor)} }}

// release resets d and returns it to the pool.
func (d *decoding) release() {
	d.cursor.reset(nil)
	clear(d.objects)
	*d = decoding{
		cursor: d.cursor, objects: d.objects[:0],
		nameBuf: d.nameBuf, valueBuf: d.valueBuf, pathBuf: d.pathBuf,
	}
	if cap(d.nameBuf)+cap(d.valueBuf)+cap(d.pathBuf) <= maxScratch {
		decodings.Put(d)
	}
}

// body decodes the whole body; of a request without one, whose method has none, its query.
func (d *decoding) body(req *event.Received) {
	if len(req.Body) == 0 && (req.Method == http.MethodGet || req.Method == http.MethodDelete) {
		d.query(req)
		return
	}
	text := d.plain(req, maxPlain)
	if rest, ok := bytes.CutPrefix(text, []byte("\xef\xbb\xbf")); ok { // byte order mark
		text, d.base = rest, 3
	}
	if isForm(req, text) {
		text = d.formObject(req, text)
	} else if isWindows1251(req, text) {
		text = fromWindows1251(text)
	}
	d.top(text)
	if d.members == 1 && len(d.objects) == 1 && d.objects[0].isSubscriber() {
		d.wrapped(d.objects[0])
	}
	d.judge()
	d.nested()
	d.finish()
}

// query decodes the query of an External Request by GET, in which BotHelp has filled the subscriber's fields. It may be
// no form: then the request has no fields, which is no error.
func (d *decoding) query(req *event.Received) {
	if text := []byte(req.Query); bytes.IndexByte(text, '=') > 0 {
		d.top(d.formObject(req, text))
	}
	d.judge()
	d.nested()
	d.finish()
}

// finish fills the columns that are derived from others.
func (d *decoding) finish() {
	if d.out.CreatedAt == nil && d.shown != nil {
		d.set(&d.out.CreatedAt, []byte(keyCreatedAtShow), d.shown)
	}
	d.out.Channel = Channel(d.out.ProfileLink)
	d.out.DecodeError = d.faults.String()
}

// Read decodes a received event. kind is the kind of its source's events whose bodies do not determine it, or "". Only
// accepted events are decoded: the content of others is not trusted. Rejected events, and those with a DecodeError, get
// a BodyText.
func Read(e *event.Event, kind event.Kind) {
	e.Decoded, e.BodyText = event.Decoded{Kind: event.KindUnknown}, ""
	if e.Verdict == event.Accepted {
		e.Decoded = Decode(&e.Received)
		if e.Kind == event.KindUnknown && kind != "" {
			e.Kind = kind
		}
	}
	if e.Verdict != event.Accepted || e.DecodeError != "" {
		e.BodyText = Text(&e.Received)
	}
}

// top reads the members of the object in the text, which may be the only element of an array.
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

// topMember stores the cursor's member of the top level in its column, or keeps it until the kind of body is known. Of
// repeated values the last one counts, unless it is absent.
func (d *decoding) topMember() {
	c := d.cursor
	d.members++
	name := d.unquote(&d.nameBuf, c.name)
	d.noteReplaced(name)
	target := column(&d.out, name)
	d.keyed = d.keyed || target != nil
	switch {
	case target == nil && c.value.Kind() == '{' && len(d.objects) < maxObjects:
		d.objects = append(d.objects, object{path: string(chars.Cut(name, maxText)), text: c.value, whole: !c.part,
			down: 1})
	case c.part:
		// Half an object is not a value.
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

// replace replaces the earlier value of the same name, unless the new value is absent.
func replace(held *jsontext.Value, value jsontext.Value) {
	if value.Kind() != 'n' && string(value) != `""` {
		*held = value
	}
}
