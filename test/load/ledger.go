package load

import (
	"time"

	"github.com/google/uuid"
)

// Ack is an acknowledgement: the request with this number was answered with 200.
type Ack struct {
	ID     uuid.UUID // zero if the answer has none
	Number uint64
}

// Ledger has the results of the requests.
type Ledger struct {
	Sent    int // requests written, also partly
	Acks    []Ack
	Refused map[int]int // answers other than 200, by status
	Broken  int         // sent, without a complete answer
	Unsent  int         // not sent, without a connection
	Next    uint64      // the number of the first unused body
	Took    time.Duration

	latencies []uint32 // of the acks, in microseconds
}

// merge adds the ledger of one connection.
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

// Rate returns the number of acknowledged requests a second.
func (l *Ledger) Rate() float64 { return float64(len(l.Acks)) / l.Took.Seconds() }

// Percentile returns a percentile of the latency of the acknowledged requests; 100 is the slowest. With a rate, the
// latency starts when the request was due, and so includes the delay of requests that were sent late.
func (l *Ledger) Percentile(p float64) time.Duration {
	if len(l.latencies) == 0 {
		return 0
	}
	at := int(p / 100 * float64(len(l.latencies)))
	return time.Duration(l.latencies[min(at, len(l.latencies)-1)]) * time.Microsecond
}
