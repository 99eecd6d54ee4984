package bothelp

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonSpace is JSON's white space.
const jsonSpace = " \t\r\n"

// errCut says that the text ends before the JSON does.
var errCut = errors.New("cut")

// cursor walks over the members of one JSON object in one pass, without copying. What it has passed stays good when it
// meets an error.
type cursor struct {
	dec  jsontext.Decoder
	src  bytes.Buffer
	text []byte

	name  []byte         // of the current member, in quotes, as it stands in the text; nil between two
	value jsontext.Value // of the current member, as it stands in the text
	part  bool           // value is an object that the text leaves unfinished or that has an error inside
	err   error          // what ended the walk, if not the object's end
}

// reset makes the cursor ready for a JSON text. Twice the same name and bytes that are no UTF-8 are no errors: what to
// make of them is for the caller to say. The decoder bounds the nesting, to 10000.
func (c *cursor) reset(text []byte) {
	c.text, c.src = text, *bytes.NewBuffer(text)
	c.name, c.value, c.part, c.err = nil, nil, false, nil
	c.dec.Reset(&c.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// open steps into the object, or array, at the start of the text; it tells whether kind is what stands there.
func (c *cursor) open(kind jsontext.Kind) bool {
	if c.dec.PeekKind() != kind {
		return false
	}
	_, c.err = c.dec.ReadToken()
	return c.err == nil
}

// next goes to the next member and tells whether there is one.
func (c *cursor) next() bool {
	if c.err != nil {
		return false
	}
	c.name = nil
	if c.dec.PeekKind() == '}' {
		return false
	}
	if c.name, c.err = c.dec.ReadValue(); c.err != nil {
		return false
	}
	nameEnd := c.dec.InputOffset()
	if c.value, c.err = c.dec.ReadValue(); c.err != nil {
		c.value = bytes.TrimLeft(c.text[nameEnd:], jsonSpace+":")
		c.part = bytes.HasPrefix(c.value, []byte("{"))
		return c.part
	}
	// A number has no end of its own: where the text ends with it, digits may be missing.
	if c.value.Kind() == '0' && c.offset() == len(c.text) {
		c.err = errCut
	}
	return c.err == nil
}

// offset is how far the cursor has come.
func (c *cursor) offset() int { return int(c.dec.InputOffset()) }

// wasCut tells whether the text ended too early, rather than being wrong.
func (c *cursor) wasCut() bool {
	return errors.Is(c.err, errCut) || errors.Is(c.err, io.ErrUnexpectedEOF) || errors.Is(c.err, io.EOF)
}

// errOffset is where in the text the error is.
func (c *cursor) errOffset() int {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](c.err); ok && !c.wasCut() {
		return int(syntax.ByteOffset)
	}
	return len(c.text)
}
