package load

import (
	"time"

	"github.com/google/uuid"
)

// Ack is a promise: the request with this number was answered with 200 and an id.
type Ack struct {
	ID     uuid.UUID
	Number uint64
}

// Ledger is what became of the requests.
type Ledger struct {
	Sent    int // requests written, or begun to be
	Acks    []Ack
	Refused map[int]int // answers other than 200, by status
	Broken  int         // sent, but no whole answer came
	Unsent  int         // not sent, for no connection came about
	Next    uint64      // the number of the first body that was not used
	Took    time.Duration

	latencies []uint32 // of the acks, in microseconds
}

// merge adds what one connection has noted.
func (l *Ledger) merge(other *Ledger) {
	l.Sent += other.Sent
	l.Acks = append(l.Acks, other.Acks...)
	for status, n := range other.Refused {
		l.Refused[status] += n
	}
	l.Broken += other.Broken
	l.Unsent += other.Unsent
	l.latencies = append(l.latencies, other.latencies...)
}

// Rate is how many requests a second were acknowledged.
func (l *Ledger) Rate() float64 { return float64(len(l.Acks)) / l.Took.Seconds() }

// Percentile is the latency within which so many percent of the acknowledged requests were answered; 100 is the slowest.
// With a rate it counts from when the request was due, so that it shows the wait of those that could not be sent in time.
func (l *Ledger) Percentile(p float64) time.Duration {
	if len(l.latencies) == 0 {
		return 0
	}
	at := int(p / 100 * float64(len(l.latencies)))
	return time.Duration(l.latencies[min(at, len(l.latencies)-1)]) * time.Microsecond
}
