package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

var (
	headerLength = []byte("content-length:")
	headerClose  = []byte("connection: close")
	idKey        = []byte(`"id":"`)
)

// answer is what matters of a response.
type answer struct {
	status int
	id     uuid.UUID // zero where the body has none
	close  bool      // no other request may follow
}

// readAnswer reads one response of HTTP/1.1 whose body has a length: what a hook answers.
func readAnswer(r *bufio.Reader) (a answer, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return a, err
	}
	if len(line) < 12 {
		return a, fmt.Errorf("no status in %q", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return a, fmt.Errorf("no status in %q", line)
	}
	length := -1
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return a, err
		}
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			return a, a.readBody(r, length)
		case len(line) > len(headerLength) && bytes.EqualFold(line[:len(headerLength)], headerLength):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(headerLength):]))); err != nil {
				return a, fmt.Errorf("length %q", line)
			}
		case bytes.EqualFold(line, headerClose):
			a.close = true
		}
	}
}

func (a *answer) readBody(r *bufio.Reader, length int) error {
	if length < 0 || length > r.Size() {
		return errors.New("an answer without a length, or a long one")
	}
	body, err := r.Peek(length)
	if err != nil {
		return err
	}
	if _, after, found := bytes.Cut(body, idKey); found && a.status == 200 {
		if a.id, err = uuid.ParseBytes(after[:min(36, len(after))]); err != nil {
			return fmt.Errorf("id in %q: %w", body, err)
		}
	}
	_, err = r.Discard(length)
	return err
}
