package replay

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// troublePause is how long a lane waits after an error that is not its endpoint's.
const troublePause = 2 * time.Second

// checkPause is how often a replay that seems to have nothing left is counted: other processes may still work at it.
const checkPause = time.Second

// sweepFrom asks for a sweep from a place on, or an earlier one that is asked for already.
func (l *lane) sweepFrom(place store.Cursor) {
	if l.sweep == nil || compare(place, *l.sweep) < 0 {
		l.sweep = &place
	}
}

func compare(a, b store.Cursor) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// complete tells whether all that is open is in memory, cut chains left out.
func (l *lane) complete() bool { return l.cursor == nil && l.sweep == nil }

// page is a part of a sweep, or the count of what is left of a replay.
type page struct {
	deliveries []event.Delivery
	left       uint64
	counted    bool
	err        error
}

// read begins to read the next page when there is room for it.
func (l *lane) read(ctx context.Context) {
	if l.reading || time.Now().Before(l.troubled) {
		return
	}
	if l.complete() {
		if l.spec.Replay && l.inFlight == 0 && len(l.agenda.held) == 0 {
			l.count(ctx)
		}
		return
	}
	if l.agenda.waiting() >= fewWaiting || len(l.agenda.retries) >= maxRetries {
		return
	}
	if l.cursor == nil {
		l.cursor, l.sweep = before(l.agenda.beginSweep(*l.sweep)), nil
	}
	l.reading = true
	after := l.cursor
	if after.At.IsZero() {
		after = nil
	}
	go func() {
		found, err := l.store.OpenDeliveries(ctx, l.queue, after, pageSize)
		l.pages <- page{deliveries: found, err: err}
	}()
}

// before is a place right before another, so that reading after it includes that one. Before the first there is nothing.
func before(c store.Cursor) *store.Cursor {
	if c.At.IsZero() {
		return &c
	}
	return &store.Cursor{At: c.At.Add(-time.Microsecond), ID: uuid.Max}
}

func (l *lane) count(ctx context.Context) {
	l.reading = true
	go func() {
		left, err := l.store.CountOpen(ctx, l.queue)
		l.pages <- page{left: left, counted: true, err: err}
	}()
}

// turn takes a page in.
func (l *lane) turn(p page) {
	l.reading = false
	switch now := time.Now(); {
	case p.err != nil:
		l.trouble("read deliveries", p.err)
	case p.counted && p.left == 0:
		l.idle = true
	case p.counted:
		l.sweepFrom(store.Cursor{})
		l.troubled = now.Add(checkPause)
	default:
		l.takePage(p.deliveries, pageSize, now)
	}
}

// takePage adds what was read and moves the sweep on. A page that is not full ends it.
func (l *lane) takePage(found []event.Delivery, full int, now time.Time) {
	for _, d := range found {
		d.NextAt = notPutOff(d, now)
		if d.State == event.Retrying && d.UpdatedAt.Before(l.resumed) {
			d.NextAt = now
		}
		l.agenda.add(d, now)
	}
	l.cursor = nil
	if n := len(found); n == full {
		l.cursor = new(placeOf(found[n-1]))
	}
}

// notPutOff is when a delivery is due. It waits as long as was decided after its last attempt and no longer, even if the
// clock was ahead then and has been set back since.
func notPutOff(d event.Delivery, now time.Time) time.Time {
	if wait := d.NextAt.Sub(d.UpdatedAt); d.State == event.Retrying && d.NextAt.Sub(now) > wait {
		return now.Add(wait)
	}
	return d.NextAt
}

func (l *lane) trouble(doing string, err error) {
	l.troubled = time.Now().Add(troublePause)
	l.logger.Warn("cannot "+doing+" now; it is tried again", "error", err, "in", troublePause)
	time.AfterFunc(troublePause, l.inbox.wake)
}

// payloads are the events of some deliveries.
type payloads struct {
	asked  []*item
	events []event.Event
	err    error
}

// load begins to load the events of the deliveries that go next, unless enough are loaded or none may go.
func (l *lane) load(ctx context.Context) {
	if l.loading || time.Now().Before(l.troubled) {
		return
	}
	if l.agenda.loaded(payloadCount) {
		return
	}
	asked := l.agenda.unloaded(payloadCount)
	if len(asked) == 0 {
		return
	}
	l.loading = true
	ids := make([]uuid.UUID, len(asked))
	for i, it := range asked {
		ids[i] = it.EventID
	}
	go func() {
		events, err := l.store.Payloads(ctx, ids, payloadBytes)
		l.payloads <- payloads{asked, events, err}
	}()
}

// attach gives the deliveries their events. What is absent although the events after it are there is no longer stored.
func (l *lane) attach(p payloads) {
	l.loading = false
	if p.err != nil {
		l.trouble("load events", p.err)
		return
	}
	byID := make(map[uuid.UUID]*event.Event, len(p.events))
	size := 0
	for i := range p.events {
		byID[p.events[i].ID] = &p.events[i]
		size += len(p.events[i].Body)
	}
	whole := size < payloadBytes
	for _, it := range p.asked {
		it.event = byID[it.EventID]
		switch last := len(p.events) - 1; {
		case it.event != nil:
		case whole, it.EventReceivedAt.Before(p.events[last].ReceivedAt): // ids of one moment have another order there
			it.gone = true
		}
	}
}
