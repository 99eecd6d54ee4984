package bothelp

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonSpace is JSON's white space.
const jsonSpace = " \t\r\n"

// errCut reports that the text ends before the JSON does.
var errCut = errors.New("cut")

// cursor iterates over the members of one JSON object in one pass, without copying. Members before an error stay valid.
type cursor struct {
	dec  jsontext.Decoder
	src  bytes.Buffer
	text []byte

	name  []byte         // of the current member, a slice of the text with its quotes; nil between two
	value jsontext.Value // of the current member, a slice of the text
	part  bool           // value is an unfinished object, or one with an error inside
	err   error          // ended the iteration; nil at the object's end
}

// reset starts a new JSON text. Repeated names and invalid UTF-8 are not errors: the caller handles them. The decoder
// limits nesting to 10000.
func (c *cursor) reset(text []byte) {
	c.text, c.src = text, *bytes.NewBuffer(text)
	c.name, c.value, c.part, c.err = nil, nil, false, nil
	c.dec.Reset(&c.src, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// open enters the object or array at the current place, and reports whether it is of this kind.
func (c *cursor) open(kind jsontext.Kind) bool {
	if c.dec.PeekKind() != kind {
		return false
	}
	_, c.err = c.dec.ReadToken()
	return c.err == nil
}

// next advances to the next member, and reports whether there is one.
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
	// A number has no end mark: if the text ends with it, digits may be missing.
	if c.value.Kind() == '0' && c.offset() == len(c.text) {
		c.err = errCut
	}
	return c.err == nil
}

// offset returns the cursor's offset in the text.
func (c *cursor) offset() int { return int(c.dec.InputOffset()) }

// wasCut reports whether the text ended too early, as opposed to a syntax error.
func (c *cursor) wasCut() bool {
	return errors.Is(c.err, errCut) || errors.Is(c.err, io.ErrUnexpectedEOF) || errors.Is(c.err, io.EOF)
}

// errOffset returns the offset of the error in the text.
func (c *cursor) errOffset() int {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](c.err); ok && !c.wasCut() {
		return int(syntax.ByteOffset)
	}
	return len(c.text)
}
