package replay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// table is a model of the stored queue, of which readyQueue has a part in memory.
type table struct {
	rows []event.Delivery // in order of arrival
}

func (t *table) open(after, upTo store.Cursor, limit int) (page []event.Delivery) {
	for _, d := range t.rows {
		if len(page) < limit && !d.State.Final() && compare(placeOf(d), after) > 0 &&
			(upTo.At.IsZero() || compare(placeOf(d), upTo) <= 0) {
			page = append(page, d)
		}
	}
	return page
}

func (t *table) find(id uuid.UUID) *event.Delivery {
	i := slices.IndexFunc(t.rows, func(d event.Delivery) bool { return d.EventID == id })
	return &t.rows[i]
}

// TestReadyQueueAgainstAModel simulates workers with a table that lags behind, retries, scans in pages, new deliveries
// and little memory. No delivery may be forgotten, sent twice at the same time, sent after its end, or sent out of
// order.
func TestReadyQueueAgainstAModel(t *testing.T) {
	for seed := range uint64(400) {
		for _, order := range []event.Order{event.OrderNone, event.OrderSubscriber} {
			t.Run(fmt.Sprintf("%s/%d", order, seed), func(t *testing.T) { simulate(t, seed, order, false) })
			t.Run(fmt.Sprintf("%s/two spools/%d", order, seed), func(t *testing.T) { simulate(t, seed, order, true) })
		}
	}
}

// simulate runs one worker. The clock is set back sometimes, which positions compensate. With twoSpools, some events
// have positions before those of earlier events, as events of another spool may have; then no order is promised.
func simulate(t *testing.T, seed uint64, order event.Order, twoSpools bool) {
	dice := rand.New(rand.NewPCG(seed, 1))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var db table
	q := newReadyQueue(order, queueLimits{page: 3, few: 6, retries: 3 + dice.IntN(6)})
	inFlight := map[uuid.UUID]*item{}
	var noted []event.Delivery // not yet in the table
	ended := map[uuid.UUID]bool{}
	lastEnded := map[string]time.Time{} // by subscriber: position of the last final delivery
	var reading *page
	var found []event.Delivery

	arrive := func() {
		at := now
		if n := len(db.rows); n > 0 && !at.After(db.rows[n-1].Position()) {
			at = db.rows[n-1].Position().Add(time.Microsecond)
		}
		if twoSpools && dice.IntN(5) == 0 {
			at = at.Add(-time.Duration(dice.IntN(100_000)) * time.Microsecond)
		}
		offset := time.Duration(dice.IntN(2)*dice.IntN(100_000)) * time.Microsecond
		d := event.Delivery{DeliveryKey: event.DeliveryKey{EventID: uuid.New()}, EventReceivedAt: at.Add(-offset),
			PositionOffset: offset, State: event.Pending, Subscriber: fmt.Sprint(dice.IntN(4))}
		if dice.IntN(10) == 0 { // an earlier process has tried it
			d.State = event.Retrying
			d.Attempts = 1
			d.UpdatedAt = now
			d.NextAt = now.Add(time.Duration(dice.IntN(50)) * time.Millisecond)
		}
		db.rows = append(db.rows, d)
		slices.SortStableFunc(db.rows, func(a, b event.Delivery) int { return compare(placeOf(a), placeOf(b)) })
		q.arrived(placeOf(d))
	}
	send := func() {
		q.attachAll()
		it := q.peek(now, func(*item) bool { return true })
		if it == nil || len(inFlight) == 3 {
			return
		}
		q.pop(it)
		if inFlight[it.EventID] != nil || ended[it.EventID] {
			t.Fatalf("sent again: %+v", it.Delivery)
		}
		if order == event.OrderSubscriber {
			for _, other := range inFlight {
				if other.Subscriber == it.Subscriber {
					t.Fatalf("two deliveries of subscriber %s at the same time", it.Subscriber)
				}
			}
			if !twoSpools && it.Position().Before(lastEnded[it.Subscriber]) {
				t.Fatalf("subscriber %s: out of order", it.Subscriber)
			}
			for _, d := range db.rows {
				if !twoSpools && d.Subscriber == it.Subscriber && d.Position().Before(it.Position()) &&
					!ended[d.EventID] {
					t.Fatalf("subscriber %s: an earlier delivery is still open", it.Subscriber)
				}
			}
		}
		inFlight[it.EventID] = it
	}
	answer := func(final bool) {
		for id, it := range inFlight {
			delete(inFlight, id)
			it.Attempts++
			it.State, it.NextAt = event.Delivered, time.Time{}
			if !final && dice.IntN(3) == 0 {
				it.State = event.Retrying
				it.NextAt = now.Add(time.Duration(dice.IntN(50)) * time.Millisecond)
			} else {
				ended[id] = true
				lastEnded[it.Subscriber] = it.Position()
			}
			noted = append(noted, it.Delivery)
			q.done(it, now)
			return
		}
	}
	store := func() {
		for _, d := range noted {
			*db.find(d.EventID) = d
		}
		noted = nil
	}
	// The page is read at one moment and added to the queue at another, as in the worker.
	read := func() {
		if reading == nil {
			if reading = q.nextPage(); reading == nil {
				return
			}
			if reading.flush {
				store()
			}
			found = db.open(reading.after, reading.upTo, 3)
			if dice.IntN(2) == 0 {
				return
			}
		}
		q.take(reading, found, now)
		reading = nil
	}

	for step := range 600 {
		now = now.Add(time.Millisecond)
		switch dice.IntN(6) {
		case 0:
			if step < 400 {
				arrive()
			}
		case 1, 2:
			send()
		case 3:
			answer(false)
		case 4:
			read()
		case 5:
			if dice.IntN(2) == 0 {
				store()
			}
		}
	}
	for range 5000 { // until all deliveries are final
		now = now.Add(10 * time.Millisecond)
		send()
		answer(true)
		store()
		read()
	}
	for _, d := range db.rows {
		if !ended[d.EventID] {
			t.Fatalf("forgotten: %+v", d)
		}
	}
	if !q.empty() || len(q.inMemory) > 0 || len(q.chains) > 0 || q.behind != 0 || len(q.retries) > 0 {
		t.Fatalf("not empty at the end: %d in memory, %d chains, %d behind, %d retries, %+v", len(q.inMemory),
			len(q.chains), q.behind, len(q.retries), q)
	}
}

// attachAll gives an event to all ready deliveries.
func (q *readyQueue) attachAll() {
	for _, it := range q.unloaded(1000) {
		it.event = &event.Event{}
	}
}
