package bothelp

import (
	"bytes"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/event"
)

// Decode reads what can be read of a request's body, by the body itself and the headers Content-Encoding and
// Content-Type. It never fails as a whole: what could not be read, DecodeError says.
func Decode(req *event.Received) event.Decoded {
	d := decodings.Get().(*decoding)
	defer d.release()
	d.body(req)
	return d.out
}

// decoding is one body being read. Its buffers are used again for the next.
type decoding struct {
	out    event.Decoded
	faults faults
	cursor *cursor

	base    int            // bytes of the body before the text that the cursor walks over
	members int            // at the top level
	keyed   bool           // a subscriber's key was there
	chat    bool           // it is a chat webhook
	event   jsontext.Value // of the top level, not empty
	stamp   jsontext.Value // event_timestamp, the same
	shown   jsontext.Value // created_at_show, wherever it stood
	objects []object       // nested ones

	fieldBytes int  // of names and values of all fields
	replaced   bool // of the name or value that was read last, and not noted yet

	nameBuf, valueBuf, pathBuf []byte
}

var decodings = sync.Pool{New: func() any { return &decoding{cursor: new(cursor)} }}

// release gives d back for the next body, without anything of this one.
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

// body reads the whole body, in the order of the steps.
func (d *decoding) body(req *event.Received) {
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

// finish fills what follows from other columns.
func (d *decoding) finish() {
	if d.out.CreatedAt == nil && d.shown != nil {
		d.set(&d.out.CreatedAt, []byte(keyCreatedAtShow), d.shown)
	}
	d.out.Channel = Channel(d.out.ProfileLink)
	d.out.DecodeError = d.faults.String()
}
