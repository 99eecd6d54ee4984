package receiver

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

// request is what matters of a request.
type request struct {
	Receipt
	get bool // it is not a delivery
}

var subscriberKey = []byte(`"bothelp_user_id":"`)

// readRequest reads one request.
func readRequest(r *bufio.Reader) (q request, err error) {
	got, err := http.ReadRequest(r)
	if err != nil {
		return q, err
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return q, err
	}
	q.get = got.Method == http.MethodGet
	// What cannot be read stays zero: it is nobody's.
	q.Event, _ = uuid.Parse(got.Header.Get("X-Hooktape-Event-Id"))
	q.Replay, _ = uuid.Parse(got.Header.Get("X-Hooktape-Replay-Id"))
	attempt, _ := strconv.ParseUint(got.Header.Get("X-Hooktape-Attempt"), 10, 32)
	q.Attempt = uint32(attempt)
	if _, after, found := bytes.Cut(body, subscriberKey); found {
		digits, _, _ := bytes.Cut(after, []byte(`"`))
		q.Subscriber, _ = strconv.ParseUint(string(digits), 10, 64)
	}
	return q, nil
}
