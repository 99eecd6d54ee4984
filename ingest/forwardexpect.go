package ingest

import (
	"errors"
	"fmt"
	"io"

	"hooktape/internal/bothelp"
	"hooktape/internal/outbound"
)

// answerBody is the start of the body of an answer, and the size of all of it.
type answerBody struct {
	start    []byte
	most     int // bytes of start
	memory   *reservation
	size     uint64
	cut      bool   // start is not all that arrived
	whole    bool   // the body arrived to its end
	encoding string // its Content-Encoding
}

// Write implements io.Writer. It never fails.
func (b *answerBody) Write(part []byte) (int, error) {
	b.size += uint64(len(part))
	room := min(len(part), b.most-len(b.start))
	if need := len(b.start) + room; !b.cut && need > max(cap(b.start), outbound.KeptBytes) {
		more := min(max(need, 2*cap(b.start)), b.most) - cap(b.start)
		if !b.memory.grow(int64(more), forForward) {
			room = max(outbound.KeptBytes-len(b.start), 0)
			b.most = len(b.start) + room
		}
	}
	b.start = append(b.start, part[:room]...)
	b.cut = b.cut || room < len(part)
	return len(part), nil
}

// text returns the whole body without its Content-Encoding.
func (b *answerBody) text() ([]byte, error) {
	if b.cut {
		return nil, fmt.Errorf("it has %d bytes, which is more than max_answer, or more than memory was left for",
			b.size)
	}
	if b.encoding == "" {
		return b.start, nil
	}
	plain, err := outbound.Plain(b.encoding, b.start)
	if err != nil {
		return nil, err
	}
	text := answerBody{most: b.most, memory: b.memory}
	if _, err := io.Copy(&text, io.LimitReader(plain, int64(b.most)+1)); err != nil {
		return nil, err
	}
	if text.cut {
		return nil, errors.New("unzipped it has more than max_answer, or more than memory was left for")
	}
	return text.start, nil
}

// expect records which of the expected keys a whole answer does not have.
func (x *exchange) expect() {
	if len(x.Expect) == 0 || !x.answered.whole {
		return
	}
	text, err := x.answered.text()
	if err != nil {
		x.addError("the answer was not searched for the expected keys: " + err.Error())
		return
	}
	x.attempt.MissingKeys = bothelp.MissingKeys(x.Expect, text)
	x.server.measureMissing(x)
}
