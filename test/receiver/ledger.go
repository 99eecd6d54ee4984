package receiver

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// Receipt is one request that came.
type Receipt struct {
	Event      uuid.UUID
	Replay     uuid.UUID // zero: live
	Attempt    uint32    // as the request says
	Subscriber uint64    // of the body, 0 where it has none
	At         time.Time // when the whole request was there
	Status     int       // answered; 0: not at all
	RetryAfter time.Duration
}

// ledger is every request in the order in which they came.
type ledger struct {
	mu       sync.Mutex
	receipts []Receipt
	accepted int // answered with 200
}

func (l *ledger) note(r Receipt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.receipts = append(l.receipts, r)
	if r.Status == 200 {
		l.accepted++
	}
}

// Receipts returns the ledger so far.
func (l *ledger) Receipts() []Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.receipts[:len(l.receipts):len(l.receipts)]
}

// Accepted counts the requests that were answered with 200.
func (l *ledger) Accepted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

// Requests counts all requests.
func (l *ledger) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.receipts)
}
