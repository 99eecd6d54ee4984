package load

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Run is a load under way.
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

// Start begins to send. The load goes on until its requests are sent, the context ends or Stop is called.
func Start(ctx context.Context, o Options) *Run {
	ctx, stop := context.WithCancel(ctx)
	r := &Run{options: o, begun: time.Now(), stop: stop, ledgers: make([]Ledger, o.Connections)}
	for i := range r.ledgers {
		r.ledgers[i].Refused = map[int]int{}
		r.workers.Go(func() { (&worker{run: r, ledger: &r.ledgers[i]}).work(ctx) })
	}
	return r
}

// Counts are the figures so far.
type Counts struct{ Sent, Acked, Refused uint64 }

// Counts returns the figures so far.
func (r *Run) Counts() Counts {
	return Counts{Sent: r.sent.Load(), Acked: r.acked.Load(), Refused: r.refused.Load()}
}

// Hold keeps the connections from sending, until it is called with false.
func (r *Run) Hold(hold bool) { r.held.Store(hold) }

// Stop ends the load when the answers to what was sent are there, or will not come, and returns the ledger.
func (r *Run) Stop() *Ledger {
	r.stop()
	return r.Wait()
}

// Wait returns the ledger when the load has ended.
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

// take gives out the number of the next request and when it is due; false when there is none.
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
