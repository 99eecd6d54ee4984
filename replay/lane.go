package replay

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/event"
	"hooktape/store"
)

// What a lane holds in memory: the keys of some thousand deliveries, the events of those that go next, and the keys of
// deliveries that wait for another attempt. The others stay in ClickHouse.
const (
	pageSize     = 10_000 // deliveries read at once
	fewWaiting   = 5_000  // below this the next page is read
	maxRetries   = 100_000
	payloadCount = 3_000   // events loaded at once: ClickHouse reads 8,192 rows for one as for all; a parameter takes no more ids
	payloadBytes = 8 << 20 // … unless they are larger than this
)

// lane sends the deliveries of one queue: an endpoint's live ones, or a replay's. Each lane has its own goroutine,
// memory, rate and places for attempts in flight, so that none can slow another.
//
// A lane sweeps: it reads the queue's open deliveries from ClickHouse in order of arrival, page by page, to the end. After
// that all that is open is in memory, and what the follower finds is handed over directly. What memory cannot take is
// swept for again later. So ClickHouse is the queue, and memory a window on it.
type lane struct {
	store  *store.Store
	queue  store.Queue
	sender sender
	spec   laneSpec
	logger *slog.Logger

	agenda   *agenda
	inbox    inbox
	limiter  *rate.Limiter
	pacer    pacer
	inFlight int
	holds    atomic.Int64 // open deliveries in memory, for the metrics
	inRow    uint32       // failed attempts
	halted   string       // why nothing more is sent
	resumed  time.Time    // when somebody resumed the endpoint last
	idle     bool         // a replay has been found to have nothing left

	sweep    *store.Cursor // where to sweep from, once this sweep is over; nil: nowhere
	cursor   *store.Cursor // of the sweep under way; nil when there is none
	reading  bool
	loading  bool
	troubled time.Time // no reading before this time

	results  chan result
	pages    chan page
	payloads chan payloads
}

// laneSpec is all that may differ between two lanes to one endpoint. A lane is replaced when it changes; the rate alone
// changes while the lane runs.
type laneSpec struct {
	Concurrency       int
	Order             event.Order
	Pace              float64
	StopAfterFailures uint32
	Replay            bool // ends when nothing is left
}

func newLane(db *store.Store, q store.Queue, s sender, spec laneSpec, perSecond float64, logger *slog.Logger) *lane {
	return &lane{store: db, queue: q, sender: s, spec: spec, logger: logger,
		agenda: newAgenda(spec.Order), inbox: newInbox(), limiter: rate.NewLimiter(limitOf(perSecond), 1), pacer: pacer{factor: spec.Pace},
		results: make(chan result), pages: make(chan page, 1), payloads: make(chan payloads, 1)}
}

func limitOf(perSecond float64) rate.Limit {
	if perSecond <= 0 {
		return rate.Inf
	}
	return rate.Limit(perSecond)
}

// setRate changes the rate of a lane that runs.
func (l *lane) setRate(perSecond float64) {
	if limit := limitOf(perSecond); limit != l.limiter.Limit() {
		l.limiter.SetLimit(limit)
		l.inbox.wake()
	}
}

// ending is why a lane has ended.
type ending struct {
	done   bool   // a replay has nothing left to send
	halted string // the stop rule has struck; this is why
	err    error  // what happened could not be noted on disk
}

// run sends until ctx ends, a replay is done, or its stop rule strikes. What was sent is noted before it returns.
func (l *lane) run(ctx context.Context) ending {
	// What is noted and not yet in ClickHouse, by the lane before this one, would be read as waiting.
	if err := l.sender.recorder.Flush(ctx); err != nil {
		return ending{}
	}
	l.sweepFrom(store.Cursor{})
	timer := time.NewTimer(0)
	defer timer.Stop()
	var failed error
	defer l.holds.Store(0)
	for {
		l.holds.Store(int64(l.agenda.waiting() + len(l.agenda.retries) + l.inFlight))
		stopping := ctx.Err() != nil || failed != nil || l.halted != ""
		if stopping && l.inFlight == 0 || l.idle {
			return ending{done: l.idle, halted: l.halted, err: failed}
		}
		var done <-chan struct{}
		if !stopping {
			done = ctx.Done()
			l.takeIn(time.Now())
			timer.Reset(l.dispatch(ctx, time.Now()))
			l.read(ctx)
			l.load(ctx)
		}
		select {
		case r := <-l.results:
			if err := l.finish(r); err != nil {
				failed = err
			}
		case p := <-l.pages:
			l.turn(p)
		case p := <-l.payloads:
			l.attach(p)
		case <-l.inbox.poke:
		case <-timer.C:
		case <-done:
		}
	}
}

// takeIn takes what the follower and the recorder have put into the inbox. While a page is being read, what settles
// must stay held, for the page may show it as it was before.
func (l *lane) takeIn(now time.Time) {
	if at := l.inbox.takeResumed(); !at.IsZero() {
		l.resumed = at
		l.agenda.retryAll(now)
	}
	if !l.reading {
		l.agenda.settled(l.inbox.takeSettled())
	}
	for _, d := range l.inbox.takeOffers() {
		if l.complete() && l.agenda.waiting() < pageSize && len(l.agenda.retries) < maxRetries {
			l.agenda.add(d, now)
		} else {
			l.sweepFrom(placeOf(d))
		}
	}
	if from := l.inbox.takeMissed(); from != nil {
		l.sweepFrom(*from)
	}
}

// idlePoll is how soon a lane looks again when nothing is to be done; whatever is new pokes it.
const idlePoll = time.Minute

// heldPoll is how soon it looks again whether it may send.
const heldPoll = 200 * time.Millisecond

// dispatch starts as many attempts as may start now, and returns how long to wait when nothing else happens.
func (l *lane) dispatch(ctx context.Context, now time.Time) time.Duration {
	if l.sender.held != nil && !l.sender.held() {
		return heldPoll
	}
	for l.inFlight < l.spec.Concurrency {
		it := l.agenda.peek(now)
		if it == nil {
			return until(l.agenda.nextRetry(), now, idlePoll)
		}
		if it.event == nil && !it.gone {
			return idlePoll // it is being loaded
		}
		if due := l.pacer.due(it.EventReceivedAt, now); due.After(now) {
			return min(due.Sub(now), until(l.agenda.nextRetry(), now, idlePoll))
		}
		place := l.limiter.ReserveN(now, 1)
		if wait := place.DelayFrom(now); wait > 0 {
			place.CancelAt(now)
			return min(wait, idlePoll)
		}
		admitted, wait := l.sender.admit(now)
		if wait > 0 {
			place.CancelAt(now)
			return wait
		}
		l.agenda.pop()
		l.inFlight++
		go func() { l.results <- l.attempt(ctx, it, admitted) }()
	}
	return idlePoll
}

func until(t, now time.Time, most time.Duration) time.Duration {
	if t.IsZero() {
		return most
	}
	return min(max(t.Sub(now), 0), most)
}

// result is a delivery after an attempt.
type result struct {
	item     *item
	delivery event.Delivery
	failed   bool // the attempt was made, and did not deliver
	err      error
}

func (l *lane) attempt(ctx context.Context, it *item, admitted admission) result {
	d := it.Delivery
	switch age := time.Since(d.CreatedAt); {
	case it.gone:
		l.sender.withdraw(admitted)
		err := l.sender.giveUp(ctx, &d, "the event is no longer stored")
		return result{it, d, false, err}
	case it.event.BodyGone():
		l.sender.withdraw(admitted)
		err := l.sender.giveUp(ctx, &d, "the event's body is past its retention; there is nothing to send")
		return result{it, d, false, err}
	case d.Attempts > 0 && l.sender.retry.MaxAge > 0 && age > l.sender.retry.MaxAge:
		l.sender.withdraw(admitted)
		err := l.sender.giveUp(ctx, &d, "gave up: older than "+brief(l.sender.retry.MaxAge))
		return result{it, d, false, err}
	}
	got, err := l.sender.deliver(ctx, &d, it.event)
	if err != nil || got.outcome == event.OutcomeUnknown {
		l.sender.withdraw(admitted)
		return result{it, d, false, err}
	}
	l.sender.report(admitted, got, time.Now()).log(l.logger)
	return result{it, d, !got.outcome.OK(), err}
}

// finish takes a result in.
func (l *lane) finish(r result) error {
	l.inFlight--
	if r.err != nil {
		return r.err
	}
	if r.failed {
		l.inRow++
		if stop := l.spec.StopAfterFailures; stop > 0 && l.inRow >= stop && l.halted == "" {
			l.halted = fmt.Sprintf("stopped by its rule after %d failed attempts in a row; the last: %s", l.inRow, r.delivery.Error)
		}
	} else if r.delivery.State == event.Delivered {
		l.inRow = 0
	}
	if r.delivery.State == event.Unknown {
		return nil // the lane is stopping; it stays held
	}
	r.item.Delivery = r.delivery
	r.item.Error = "" // ClickHouse has it
	if again := l.agenda.done(r.item, time.Now()); again != nil {
		l.sweepFrom(*again)
	}
	return nil
}
