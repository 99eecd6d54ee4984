// Package load sends webhooks to a hook. It keeps a ledger of the acknowledgements: the id of every request that was
// answered with 200, and how long the answer took.
//
// It shares the processors with the program that it measures. So it has no net/http client, but one goroutine and one
// buffer for each connection, and writes a request with one call. It sends a request once, whatever becomes of it, so
// that a test can compare what was sent with what is stored.
package load

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"hooktape/internal/simulate"
)

// Options describe a load.
type Options struct {
	Addr   string // host:port
	Source string // of the hook URL
	Token  string
	Bodies simulate.Webhooks
	// First is the number of the first body; the others follow.
	First uint64
	// Requests is the number of requests; 0: until the context ends.
	Requests    uint64
	Connections int
	// Rate is the number of requests a second, whether or not answers keep up with them (open loop), as far as there
	// are connections. 0: each connection sends the next request after the answer to the last (closed loop).
	Rate float64
}

// Run is a running load.
type Run struct {
	options Options
	begun   time.Time
	next    atomic.Uint64 // request of the run
	sent    atomic.Uint64
	acked   atomic.Uint64
	refused atomic.Uint64
	held    atomic.Bool

	stop    context.CancelFunc
	workers sync.WaitGroup
	ledgers []Ledger
}

// Start begins to send. The load ends when all its requests are sent, the context ends or Stop is called.
func Start(ctx context.Context, o Options) *Run {
	ctx, stop := context.WithCancel(ctx)
	r := &Run{options: o, begun: time.Now(), stop: stop, ledgers: make([]Ledger, o.Connections)}
	for i := range r.ledgers {
		r.ledgers[i].Refused = map[int]int{}
		r.workers.Go(func() { (&worker{run: r, ledger: &r.ledgers[i]}).work(ctx) })
	}
	return r
}

// Counts are the numbers of requests so far.
type Counts struct{ Sent, Acked, Refused uint64 }

// Counts returns the numbers of requests so far.
func (r *Run) Counts() Counts {
	return Counts{Sent: r.sent.Load(), Acked: r.acked.Load(), Refused: r.refused.Load()}
}

// Hold pauses the load, until it is called with false.
func (r *Run) Hold(hold bool) { r.held.Store(hold) }

// Stop ends the load, waits for the answers to open requests and returns the ledger.
func (r *Run) Stop() *Ledger {
	r.stop()
	return r.Wait()
}

// Wait waits for the end of the load and returns the ledger.
func (r *Run) Wait() *Ledger {
	r.workers.Wait()
	total := &Ledger{Refused: map[int]int{}, Next: r.options.First + r.next.Load(), Took: time.Since(r.begun)}
	for i := range r.ledgers {
		total.merge(&r.ledgers[i])
	}
	r.stop()
	slices.Sort(total.latencies)
	return total
}

// take returns the number of the next request and when it is due. It returns false after the last.
func (r *Run) take() (number uint64, due time.Time, ok bool) {
	n := r.next.Add(1) - 1
	if r.options.Requests > 0 && n >= r.options.Requests {
		return 0, due, false
	}
	if r.options.Rate > 0 {
		due = r.begun.Add(time.Duration(float64(n) / r.options.Rate * float64(time.Second)))
	}
	return r.options.First + n, due, true
}
