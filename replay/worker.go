package replay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// What a worker has in memory: the keys of some thousand deliveries, the events of those that go next, and the keys of
// deliveries that wait for another attempt. The others stay in ClickHouse.
const (
	pageSize     = 10_000 // deliveries read at once
	fewReady     = 5_000
	maxRetries   = 100_000
	payloadCount = 3_000   // events loaded at once: ClickHouse reads 8,192 rows for one as for all; a parameter takes no more ids
	payloadBytes = 8 << 20 // … unless they are larger than this
)

// troublePause is how long a worker waits after an error that is not its endpoint's.
const troublePause = 2 * time.Second

// worker sends the deliveries of one queue: an endpoint's live ones, or a replay's. Each has its own goroutine, memory, rate
// and places for attempts in flight, so that none can slow another. Its loop reads pages of open deliveries into the ready
// queue, loads the events of those that go next, and sends them with at most Concurrency in flight. It may be ended at any
// moment: the next worker reads in ClickHouse where it was.
type worker struct {
	store  *store.Store
	queue  store.Queue
	sender sender
	spec   workerSpec
	logger *slog.Logger

	ready    *readyQueue
	limiter  *rate.Limiter
	pacer    pacer
	inFlight int
	open     atomic.Int64 // deliveries in memory, for the metrics
	inRow    uint32       // failed attempts
	halted   string       // why nothing more is sent
	failed   error        // of noting what happened
	resumed  time.Time    // when somebody resumed the endpoint last
	reading  bool
	loading  bool
	troubled time.Time // no reading before this time

	results chan result
	taken   chan func() // what was read, to be taken in

	wake chan struct{} // something of the following is new
	mu   sync.Mutex
	news news
}

// news is what others have told a worker since it looked last.
type news struct {
	arrived *store.Cursor // new deliveries are stored, the first of them here
	resumed time.Time     // somebody resumed the endpoint
}

// workerSpec is what may differ between two workers to one endpoint. A worker is replaced when it changes; the rate alone
// changes while it runs.
type workerSpec struct {
	Concurrency       int
	Order             event.Order
	Pace              float64
	StopAfterFailures uint32
	Replay            bool // ends when nothing is left
}

func newWorker(db *store.Store, q store.Queue, s sender, spec workerSpec, perSecond float64, logger *slog.Logger) *worker {
	return &worker{store: db, queue: q, sender: s, spec: spec, logger: logger, ready: newReadyQueue(spec.Order, queueLimits{pageSize, fewReady, maxRetries}),
		limiter: rate.NewLimiter(limitOf(perSecond), 1), pacer: pacer{factor: spec.Pace}, results: make(chan result), taken: make(chan func(), 2),
		wake: make(chan struct{}, 1)}
}

func limitOf(perSecond float64) rate.Limit {
	if perSecond <= 0 {
		return rate.Inf
	}
	return rate.Limit(perSecond)
}

// tell gives a worker news without waiting for it.
func (w *worker) tell(change func(*news)) {
	w.mu.Lock()
	change(&w.news)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// arrived tells that new deliveries are stored, the first of them at a place.
func (w *worker) arrived(place store.Cursor) {
	w.tell(func(n *news) { n.arrived = earlier(n.arrived, place) })
}

// resume makes what was tried before a time due now.
func (w *worker) resume(at time.Time) { w.tell(func(n *news) { n.resumed = at }) }

// setRate changes the rate of a worker that runs.
func (w *worker) setRate(perSecond float64) {
	if limit := limitOf(perSecond); limit != w.limiter.Limit() {
		w.limiter.SetLimit(limit)
		w.tell(func(*news) {})
	}
}

// ending is why a worker has ended.
type ending struct {
	done   bool   // a replay has nothing left to send
	halted string // the stop rule has struck; this is why
	err    error  // what happened could not be noted on disk
}

// run sends until ctx ends, a replay is done, or its stop rule strikes. What was sent is noted before it returns.
func (w *worker) run(ctx context.Context) ending {
	// What is noted and not yet in ClickHouse, by the worker before this one, would be read as open.
	if err := w.sender.recorder.Flush(ctx); err != nil {
		return ending{}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer w.open.Store(0)
	for {
		w.open.Store(int64(w.ready.size()))
		stopping := ctx.Err() != nil || w.failed != nil || w.halted != ""
		if stopping && w.inFlight == 0 {
			return ending{halted: w.halted, err: w.failed}
		}
		var done <-chan struct{}
		if !stopping {
			done = ctx.Done()
			now := time.Now()
			w.takeNews(now)
			w.read(ctx, now)
			if w.spec.Replay && !w.reading && w.ready.empty() {
				return ending{done: w.sender.recorder.Flush(ctx) == nil}
			}
			wait := w.send(ctx, now)
			w.load(ctx, now) // also for the retries that send has found due
			timer.Reset(wait)
		}
		select {
		case r := <-w.results:
			w.finish(r)
		case take := <-w.taken:
			take()
		case <-w.wake:
		case <-timer.C:
		case <-done:
		}
	}
}

func (w *worker) takeNews(now time.Time) {
	w.mu.Lock()
	n := w.news
	w.news = news{}
	w.mu.Unlock()
	if n.arrived != nil {
		w.ready.arrived(*n.arrived)
	}
	if !n.resumed.IsZero() {
		w.resumed = n.resumed
		w.ready.retryAll(now)
	}
}

// read begins to read the next page of open deliveries when there is room for it.
func (w *worker) read(ctx context.Context, now time.Time) {
	if w.reading || now.Before(w.troubled) {
		return
	}
	p := w.ready.nextPage()
	if p == nil {
		return
	}
	w.reading = true
	go func() {
		var found []event.Delivery
		var err error
		if p.flush {
			err = w.sender.recorder.Flush(ctx)
		}
		if err == nil {
			found, err = w.store.OpenDeliveries(ctx, w.queue, p.after, p.upTo, pageSize)
		}
		w.taken <- func() { w.take(p, found, err) }
	}()
}

func (w *worker) take(p *page, found []event.Delivery, err error) {
	w.reading = false
	if err != nil {
		w.trouble("read deliveries", err)
		return
	}
	now := time.Now()
	for i := range found {
		d := &found[i]
		d.NextAt = notPutOff(*d, now)
		if d.State == event.Retrying && d.UpdatedAt.Before(w.resumed) {
			d.NextAt = now
		}
	}
	w.ready.take(p, found, now)
}

// notPutOff is when a delivery is due. It waits as long as was decided after its last attempt and no longer, even if the
// clock was ahead then and has been set back since.
func notPutOff(d event.Delivery, now time.Time) time.Time {
	if wait := d.NextAt.Sub(d.UpdatedAt); d.State == event.Retrying && d.NextAt.Sub(now) > wait {
		return now.Add(wait)
	}
	return d.NextAt
}

// load begins to load the events of the deliveries that go next, unless they are loaded.
func (w *worker) load(ctx context.Context, now time.Time) {
	if w.loading || now.Before(w.troubled) {
		return
	}
	asked := w.ready.unloaded(payloadCount)
	if len(asked) == 0 {
		return
	}
	w.loading = true
	ids := make([]uuid.UUID, len(asked))
	for i, it := range asked {
		ids[i] = it.EventID
	}
	go func() {
		events, err := w.store.Payloads(ctx, ids, payloadBytes)
		w.taken <- func() {
			w.loading = false
			if err != nil {
				w.trouble("load events", err)
				return
			}
			w.ready.attach(asked, events)
		}
	}()
}

func (w *worker) trouble(doing string, err error) {
	w.troubled = time.Now().Add(troublePause)
	w.logger.Warn("cannot "+doing+" now; it is tried again", "error", err, "in", troublePause)
	time.AfterFunc(troublePause, func() { w.tell(func(*news) {}) })
}

// idlePoll is how soon a worker looks again when nothing is to be done; whatever is new wakes it.
const idlePoll = time.Minute

// leasePoll is how soon it looks again whether this process may send.
const leasePoll = 200 * time.Millisecond

// send starts as many attempts as may start now, and returns how long to wait when nothing else happens.
func (w *worker) send(ctx context.Context, now time.Time) time.Duration {
	if w.sender.held != nil && !w.sender.held() {
		return leasePoll
	}
	for w.inFlight < w.spec.Concurrency {
		wait := idlePoll
		it := w.ready.peek(now, func(it *item) bool {
			due := w.pacer.due(it.EventReceivedAt, now)
			wait = min(wait, max(due.Sub(now), 0))
			return !due.After(now)
		})
		if it == nil {
			if next := w.ready.nextRetry(); !next.IsZero() {
				wait = min(wait, max(next.Sub(now), 0))
			}
			return wait
		}
		place := w.limiter.ReserveN(now, 1)
		if wait := place.DelayFrom(now); wait > 0 {
			place.CancelAt(now)
			return min(wait, idlePoll)
		}
		admitted, wait := w.sender.admit(now)
		if wait > 0 {
			place.CancelAt(now)
			return wait
		}
		w.ready.pop(it)
		w.inFlight++
		go func() { w.results <- w.attempt(ctx, it, admitted) }()
	}
	return idlePoll
}

// result is a delivery after an attempt.
type result struct {
	item     *item
	delivery event.Delivery
	failed   bool // the attempt was made, and did not deliver
	err      error
}

func (w *worker) attempt(ctx context.Context, it *item, admitted admission) result {
	d := it.Delivery
	if why := w.hopeless(it); why != "" {
		w.sender.withdraw(admitted)
		err := w.sender.giveUp(ctx, &d, why)
		return result{it, d, false, err}
	}
	got, err := w.sender.deliver(ctx, &d, it.event)
	if err != nil || got.Outcome == event.OutcomeUnknown {
		w.sender.withdraw(admitted)
		return result{it, d, false, err}
	}
	w.sender.report(admitted, got, time.Now()).log(w.logger)
	return result{it, d, !got.Outcome.OK(), nil}
}

// hopeless says why a delivery ends without another attempt; empty when it does not.
func (w *worker) hopeless(it *item) string {
	most := w.sender.retry.MaxAge
	switch {
	case it.gone:
		return "the event is no longer stored"
	case it.event.BodyGone():
		return "the event's body is past its retention; there is nothing to send"
	case it.Attempts > 0 && most > 0 && time.Since(it.CreatedAt) > most:
		return "gave up: older than " + brief(most)
	}
	return ""
}

// finish takes a result in.
func (w *worker) finish(r result) {
	w.inFlight--
	if r.err != nil {
		w.failed = r.err
		return
	}
	if r.failed {
		w.inRow++
		if stop := w.spec.StopAfterFailures; stop > 0 && w.inRow >= stop && w.halted == "" {
			w.halted = fmt.Sprintf("stopped by its rule after %d failed attempts in a row; the last: %s", w.inRow, r.delivery.Error)
		}
	} else if r.delivery.State == event.Delivered {
		w.inRow = 0
	}
	if r.delivery.State == event.Unknown {
		return // the worker is stopping; it stays held
	}
	r.item.Delivery = r.delivery
	r.item.Error = "" // ClickHouse has it
	w.ready.done(r.item, time.Now())
}
