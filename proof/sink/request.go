package sink

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

// maxBody is also the size of a connection's buffer.
const maxBody = 64 << 10

// request is what matters of a request.
type request struct {
	Receipt
	path string // of a GET, which is not a delivery
}

// readRequest reads one request whose body has a length: what hooktape sends.
func readRequest(r *bufio.Reader) (q request, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return q, err
	}
	if path, get := bytes.CutPrefix(line, []byte("GET ")); get {
		path, _, _ = bytes.Cut(path, []byte(" "))
		q.path = string(path)
	}
	length := 0
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return q, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return q, q.readBody(r, length)
		}
		if err := q.header(line, &length); err != nil {
			return q, fmt.Errorf("%q: %w", line, err)
		}
	}
}

func (q *request) header(line []byte, length *int) (err error) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimSpace(value)
	switch {
	case is(name, "Content-Length"):
		*length, err = strconv.Atoi(string(value))
	case is(name, "Transfer-Encoding"):
		err = errors.New("a body without a length")
	case is(name, "X-Hooktape-Event-Id"):
		q.Event, err = uuid.ParseBytes(value)
	case is(name, "X-Hooktape-Replay-Id"):
		q.Replay, err = uuid.ParseBytes(value)
	case is(name, "X-Hooktape-Attempt"):
		var n uint64
		n, err = strconv.ParseUint(string(value), 10, 32)
		q.Attempt = uint32(n)
	}
	return err
}

// is compares a header's name without regard to case; most differ in length already.
func is(name []byte, canonical string) bool {
	return len(name) == len(canonical) && bytes.EqualFold(name, []byte(canonical))
}

var subscriberKey = []byte(`"bothelp_user_id":"`)

func (q *request) readBody(r *bufio.Reader, length int) error {
	if length < 0 || length > maxBody {
		return fmt.Errorf("a body of %d bytes", length)
	}
	body, err := r.Peek(length)
	if err != nil {
		return err
	}
	if _, after, found := bytes.Cut(body, subscriberKey); found {
		digits, _, _ := bytes.Cut(after, []byte(`"`))
		q.Subscriber, _ = strconv.ParseUint(string(digits), 10, 64) // one that is no number is nobody
	}
	_, err = r.Discard(length)
	return err
}
