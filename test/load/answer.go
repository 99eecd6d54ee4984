package load

import (
	"bufio"
	"bytes"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"hooktape/test/http1"
)

var idKey = []byte(`"id":"`)

// answer is a hook's answer.
type answer struct {
	status int
	id     uuid.UUID // zero if the body has none
	close  bool      // the server closes the connection
}

func readAnswer(r *bufio.Reader) (a answer, err error) {
	start, body, err := http1.Read(r, func(name, value []byte) {
		if http1.Is(name, "Connection") && string(value) == "close" {
			a.close = true
		}
	})
	if err != nil {
		return a, err
	}
	if len(start) < 12 {
		return a, fmt.Errorf("read an answer: no status in %q", start)
	}
	if a.status, err = strconv.Atoi(start[9:12]); err != nil { // behind "HTTP/1.1 "
		return a, fmt.Errorf("read an answer: no status in %q", start)
	}
	if _, after, found := bytes.Cut(body, idKey); found && a.status == 200 {
		if a.id, err = uuid.ParseBytes(after[:min(36, len(after))]); err != nil {
			return a, fmt.Errorf("read the id of an answer %q: %w", body, err)
		}
	}
	return a, nil
}
