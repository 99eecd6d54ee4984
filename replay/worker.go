package replay

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// A worker has in memory the keys of some thousand deliveries, the events of those that are next, and the keys of
// deliveries that wait for a retry. The others stay in ClickHouse.
const (
	pageSize   = 10_000 // deliveries read at a time
	fewReady   = 5_000
	maxRetries = 100_000
	// events loaded at a time: ClickHouse reads 8,192 rows for one as for all; a parameter takes no more ids
	payloadCount = 3_000
)

const (
	// idlePoll is how soon an idle worker looks again without being woken.
	idlePoll = time.Minute
	// leasePoll is how soon a worker checks again whether this process may deliver.
	leasePoll = 200 * time.Millisecond
)

// workerConfig is the configuration of a worker. A worker is replaced when its configuration changes; only the rate can
// change while it runs.
type workerConfig struct {
	queue             store.Queue
	endpoint          Endpoint
	headers           []event.Header // of the replay
	retry             RetryPolicy
	rate              float64 // requests a second; 0 is no limit
	concurrency       int
	order             event.Order
	pace              float64 // see [pacer]
	stopAfterFailures uint32  // failed attempts in a row; 0 never
}

// isReplay reports whether the worker ends when nothing is left to send.
func (c *workerConfig) isReplay() bool { return c.queue.ReplayID != uuid.Nil }

func (c workerConfig) equalButRate(other workerConfig) bool {
	c.rate = other.rate
	return reflect.DeepEqual(c, other)
}

// worker sends the deliveries of one queue: an endpoint's live ones, or a replay's. It has its own goroutine, memory,
// rate and concurrency, so no worker can slow another. Its loop reads pages of open deliveries into the ready queue,
// loads the events of those that are next, and sends them. It may be ended at any moment: the next worker finds in
// ClickHouse where it was.
type worker struct {
	config     workerConfig
	store      *store.Store
	sender     sender
	mayDeliver func() bool // false while another process may deliver the same; nil is always true
	poller     *poller     // of a live worker
	logger     *slog.Logger
	stop       context.CancelFunc

	ready    *readyQueue
	limiter  *rate.Limiter
	pacer    pacer
	inFlight int
	failures uint32                  // attempts in a row
	open     atomic.Int64            // deliveries in memory, for the metrics
	resumed  time.Time               // when someone last resumed the endpoint
	asked    map[uuid.UUID]time.Time // when someone last asked to try an event's delivery now
	reading  bool                    // a page
	loading  bool                    // events
	troubled time.Time               // nothing is read or loaded before this time

	updates chan func() // results of reading, loading and attempts, to be applied by the loop
	wake    chan struct{}
	mu      sync.Mutex
	news    news

	retried map[uint64]time.Time // when retry commands were carried out, by key; only the runner uses it

	// Reasons for the worker's end, besides the end of its context. They are set when run returns.
	done   bool   // the replay has nothing left to send
	halted string // by the replay's stop rule: its reason
	failed error  // an outcome could not be recorded
}

// news is what others have told a worker and its loop has not seen yet.
type news struct {
	arrived *store.Cursor // place of the first new delivery
	resumed time.Time     // when someone resumed the endpoint
	retries []store.RetryCommand
}

func newWorker(db *store.Store, s sender, c workerConfig, logger *slog.Logger) *worker {
	return &worker{config: c, store: db, sender: s, logger: logger,
		ready:   newReadyQueue(c.order, queueLimits{pageSize, fewReady, maxRetries}),
		limiter: rate.NewLimiter(limitOf(c.rate), 1), pacer: pacer{factor: c.pace}, asked: map[uuid.UUID]time.Time{},
		retried: map[uint64]time.Time{},
		updates: make(chan func(), 2), // one page and one load may be under way when run returns
		wake:    make(chan struct{}, 1)}
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

// arrived tells the worker that new deliveries are stored, the first of them at place.
func (w *worker) arrived(place store.Cursor) {
	w.tell(func(n *news) { n.arrived = earlier(n.arrived, place) })
}

// resume makes all deliveries due that were tried before a time. A worker that starts later does the same for those it
// reads.
func (w *worker) resume(at time.Time) { w.tell(func(n *news) { n.resumed = at }) }

// retry makes the retries of a command due.
func (w *worker) retry(c store.RetryCommand) {
	w.tell(func(n *news) { n.retries = append(n.retries, c) })
}

func (w *worker) setRate(perSecond float64) {
	if limit := limitOf(perSecond); limit != w.limiter.Limit() {
		w.limiter.SetLimit(limit)
		w.tell(func(*news) {})
	}
}

// run sends until ctx ends, a replay is done, or its stop rule halts it. Every outcome is recorded before it returns.
func (w *worker) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var polling sync.WaitGroup
	if w.poller != nil {
		polling.Go(func() { w.poller.run(ctx) })
	}
	w.loop(ctx)
	cancel()
	polling.Wait()
}

func (w *worker) loop(ctx context.Context) {
	// A delivery whose outcome the worker before this one has recorded, but which is not yet in ClickHouse, would be
	// read as open.
	if err := w.sender.recorder.Flush(ctx); err != nil {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer w.open.Store(0)
	for {
		w.open.Store(int64(w.ready.size()))
		stopping := ctx.Err() != nil || w.failed != nil || w.halted != ""
		if stopping && w.inFlight == 0 {
			return
		}
		var done <-chan struct{}
		if !stopping {
			done = ctx.Done()
			now := time.Now()
			w.applyNews(now)
			w.read(ctx, now)
			if w.config.isReplay() && !w.reading && w.ready.empty() {
				w.done = w.sender.recorder.Flush(ctx) == nil
				return
			}
			wait := w.send(ctx, now)
			w.load(ctx, now) // also for the retries that send has found due
			timer.Reset(wait)
		}
		select {
		case apply := <-w.updates:
			apply()
		case <-w.wake:
		case <-timer.C:
		case <-done:
		}
	}
}

func (w *worker) applyNews(now time.Time) {
	w.mu.Lock()
	n := w.news
	w.news = news{}
	w.mu.Unlock()
	if n.arrived != nil {
		w.ready.arrived(*n.arrived)
	}
	if !n.resumed.IsZero() {
		w.resumed = n.resumed
		w.ready.retry(now, func(event.Delivery) bool { return true })
	}
	if len(n.retries) == 0 {
		return
	}
	for _, c := range n.retries {
		for _, id := range c.Events {
			w.asked[id] = c.At
		}
	}
	w.ready.retry(now, w.askedNow)
}

// askedNow reports whether someone asked, after a delivery's last attempt, to try it now.
func (w *worker) askedNow(d event.Delivery) bool { return d.UpdatedAt.Before(w.asked[d.EventID]) }

// read starts to read the next page of open deliveries if there is room for it.
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
			found, err = w.store.OpenDeliveries(ctx, w.config.queue, p.after, p.upTo, pageSize)
		}
		w.updates <- func() { w.applyPage(p, found, err) }
	}()
}

func (w *worker) applyPage(p *page, found []event.Delivery, err error) {
	w.reading = false
	if err != nil {
		w.trouble("read deliveries", err)
		return
	}
	now := time.Now()
	for i := range found {
		d := &found[i]
		d.NextAt = nextAttempt(*d, now)
		if d.State == event.Retrying && (d.UpdatedAt.Before(w.resumed) || w.askedNow(*d)) {
			d.NextAt = now
		}
	}
	w.ready.take(p, found, now)
}

// nextAttempt returns when a delivery is due. It waits no longer than was decided after its last attempt, even if the
// clock was ahead then and has been set back since.
func nextAttempt(d event.Delivery, now time.Time) time.Time {
	if wait := d.NextAt.Sub(d.UpdatedAt); d.State == event.Retrying && d.NextAt.Sub(now) > wait {
		return now.Add(wait)
	}
	return d.NextAt
}

// load starts to load the events of the deliveries that are next.
func (w *worker) load(ctx context.Context, now time.Time) {
	if w.loading || now.Before(w.troubled) {
		return
	}
	items := w.ready.unloaded(payloadCount)
	if len(items) == 0 {
		return
	}
	w.loading = true
	ids := make([]uuid.UUID, len(items))
	for i, it := range items {
		ids[i] = it.EventID
	}
	go func() {
		events, err := w.store.Payloads(ctx, ids, payloadBytes)
		w.updates <- func() {
			w.loading = false
			if err != nil {
				w.trouble("load events", err)
				return
			}
			w.ready.attach(items, events)
		}
	}()
}

func (w *worker) trouble(doing string, err error) {
	w.troubled = time.Now().Add(troublePause)
	w.logger.Warn("cannot "+doing+" now; it is tried again", "error", err, "in", troublePause)
	time.AfterFunc(troublePause, func() { w.tell(func(*news) {}) })
}

// send starts as many attempts as may start now, and returns how long to wait if nothing else happens.
func (w *worker) send(ctx context.Context, now time.Time) time.Duration {
	if w.mayDeliver != nil && !w.mayDeliver() {
		return leasePoll
	}
	for w.inFlight < w.config.concurrency {
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
		token := w.limiter.ReserveN(now, 1)
		if wait := token.DelayFrom(now); wait > 0 {
			token.CancelAt(now)
			return min(wait, idlePoll)
		}
		admitted, wait := w.sender.Admit(now)
		if wait > 0 {
			token.CancelAt(now)
			return wait
		}
		w.ready.pop(it)
		w.inFlight++
		go func() {
			r := w.attempt(ctx, it, admitted)
			w.updates <- func() { w.finish(it, r) }
		}()
	}
	return idlePoll
}

// result is a delivery after an attempt.
type result struct {
	delivery event.Delivery
	failed   bool  // the attempt was made, but did not deliver
	err      error // of recording
}

func (w *worker) attempt(ctx context.Context, it *item, admitted outbound.Admission) result {
	d := it.Delivery
	if why := w.pastAttempts(it); why != "" {
		w.sender.Withdraw(admitted)
		err := w.sender.fail(ctx, &d, why)
		return result{delivery: d, err: err}
	}
	if err := w.sender.intend(ctx, &d); err != nil {
		w.sender.Withdraw(admitted)
		return result{delivery: d, err: err}
	}
	attempt, answer := w.sender.attempt(ctx, &d, it.event)
	// The breaker learns of the answer before the outcome is on disk: that may take a while, in which it admits others.
	failed := false
	if answer.Outcome == event.OutcomeUnknown {
		w.sender.Withdraw(admitted)
	} else {
		failed = !answer.Outcome.OK()
		logChange(w.logger, w.sender.Report(admitted, answer, time.Now()))
	}
	err := w.sender.record(ctx, &d, attempt)
	return result{delivery: d, failed: failed, err: err}
}

// pastAttempts returns why a delivery fails without another attempt, or "" if it does not.
func (w *worker) pastAttempts(it *item) string {
	maxAge := w.sender.retry.MaxAge
	switch {
	case it.gone:
		return "the event is no longer stored"
	case it.event.BodyGone():
		return "the event's body is past its retention; there is nothing to send"
	case it.Attempts > 0 && maxAge > 0 && time.Since(it.CreatedAt) > maxAge:
		return "gave up: older than " + brief(maxAge)
	}
	return ""
}

// finish applies the result of an attempt.
func (w *worker) finish(it *item, r result) {
	w.inFlight--
	if r.err != nil {
		if w.failed == nil {
			w.failed = r.err
			w.logger.Error("an outcome cannot be recorded on disk; delivery goes on when it can", "error", r.err)
		}
		return
	}
	w.countFailures(r)
	if r.delivery.State == event.Unknown {
		return // the worker is stopping; the delivery stays in memory, so that it is not sent again
	}
	delete(w.asked, it.EventID)
	it.Delivery = r.delivery
	it.Error = "" // ClickHouse has it
	w.ready.done(it, time.Now())
}

func (w *worker) countFailures(r result) {
	if !r.failed {
		if r.delivery.State == event.Delivered {
			w.failures = 0
		}
		return
	}
	w.failures++
	if limit := w.config.stopAfterFailures; limit > 0 && w.failures >= limit && w.halted == "" {
		w.halted = fmt.Sprintf("stopped by its rule after %d failed attempts in a row; the last: %s", w.failures,
			r.delivery.Error)
	}
}
