package receiver

import (
	"bufio"
	"bytes"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"hooktape/test/http1"
)

// Receipt is one request.
type Receipt struct {
	Event      uuid.UUID
	Replay     uuid.UUID // zero: live
	Attempt    uint32    // as the request says
	Subscriber uint64    // of the body; 0: none
	At         time.Time // when the whole request was read
	Status     int       // of the answer; 0: none
	RetryAfter time.Duration
}

var subscriberKey = []byte(`"bothelp_user_id":"`)

// readRequest reads a request. What the header or the body lacks, or has in another form, stays zero. isGet is true of
// a request that is no delivery.
func readRequest(r *bufio.Reader) (got Receipt, isGet bool, err error) {
	start, body, err := http1.Read(r, func(name, value []byte) {
		switch {
		case http1.Is(name, "X-Hooktape-Event-Id"):
			got.Event, _ = uuid.ParseBytes(value)
		case http1.Is(name, "X-Hooktape-Replay-Id"):
			got.Replay, _ = uuid.ParseBytes(value)
		case http1.Is(name, "X-Hooktape-Attempt"):
			attempt, _ := strconv.ParseUint(string(value), 10, 32)
			got.Attempt = uint32(attempt)
		}
	})
	if err != nil {
		return Receipt{}, false, err
	}
	if _, after, found := bytes.Cut(body, subscriberKey); found {
		digits, _, _ := bytes.Cut(after, []byte(`"`))
		got.Subscriber, _ = strconv.ParseUint(string(digits), 10, 64)
	}
	return got, strings.HasPrefix(start, "GET "), nil
}

// ledger has all requests in the order of their arrival.
type ledger struct {
	mu       sync.Mutex
	receipts []Receipt
	accepted int // answered with 200
}

func (l *ledger) record(r Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receipts = append(l.receipts, r)
	if r.Status == 200 {
		l.accepted++
	}
}

// Receipts returns all requests so far.
func (l *ledger) Receipts() []Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receipts[:len(l.receipts):len(l.receipts)]
}

// Accepted returns the number of requests that were answered with 200.
func (l *ledger) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// Requests returns the number of all requests.
func (l *ledger) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.receipts)
}
