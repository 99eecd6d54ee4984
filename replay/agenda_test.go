package replay

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// table is what ClickHouse would hold of a queue: the truth that an agenda is a window on.
type table struct {
	rows []event.Delivery // in order of arrival
}

func (t *table) open(after store.Cursor, limit int) (page []event.Delivery) {
	for _, d := range t.rows {
		if len(page) < limit && !d.State.Final() && compare(placeOf(d), after) > 0 {
			page = append(page, d)
		}
	}
	return page
}

func (t *table) find(id uuid.UUID) *event.Delivery {
	i := slices.IndexFunc(t.rows, func(d event.Delivery) bool { return d.EventID == id })
	return &t.rows[i]
}

// TestAgendaAgainstAModel plays lanes with a table that lags behind, retries, sweeps in pages, direct offers and little
// memory, and looks for a delivery that is forgotten, sent at the same time twice, sent after its end, or out of order.
func TestAgendaAgainstAModel(t *testing.T) {
	for seed := range uint64(400) {
		for _, order := range []event.Order{event.OrderNone, event.OrderSubscriber} {
			t.Run(fmt.Sprintf("%s/%d", order, seed), func(t *testing.T) { playModel(t, seed, order, false) })
			t.Run(fmt.Sprintf("%s/two spools/%d", order, seed), func(t *testing.T) { playModel(t, seed, order, true) })
		}
	}
}

// playModel plays one lane. The clock is set back now and then, which positions make up for. With twoSpools some events have
// positions before those of earlier ones, as those of another spool may have; no order is promised then.
func playModel(t *testing.T, seed uint64, order event.Order, twoSpools bool) {
	dice := rand.New(rand.NewPCG(seed, 1))
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var db table
	a := newAgenda(order)
	l := &lane{agenda: a}
	inFlight := map[uuid.UUID]*item{}
	var unsettled []event.Delivery // noted, and not in the table yet
	ended := map[uuid.UUID]bool{}
	lastEnded := map[string]time.Time{} // by subscriber: position of the last one that ended

	arrive := func() {
		at := now
		if n := len(db.rows); n > 0 && !at.After(db.rows[n-1].Position()) {
			at = db.rows[n-1].Position().Add(time.Microsecond)
		}
		if twoSpools && dice.IntN(5) == 0 {
			at = at.Add(-time.Duration(dice.IntN(100_000)) * time.Microsecond)
		}
		offset := time.Duration(dice.IntN(2)*dice.IntN(100_000)) * time.Microsecond
		d := event.Delivery{DeliveryKey: event.DeliveryKey{EventID: uuid.New()}, EventReceivedAt: at.Add(-offset), PositionOffset: offset, State: event.Pending,
			Subscriber: fmt.Sprint(dice.IntN(4))}
		db.rows = append(db.rows, d)
		slices.SortStableFunc(db.rows, func(a, b event.Delivery) int { return compare(placeOf(a), placeOf(b)) })
		if l.complete() && a.waiting() < 6 {
			a.add(d, now)
		} else {
			l.sweepFrom(placeOf(d))
		}
	}
	send := func() {
		it := a.peek(now)
		if it == nil || len(inFlight) == 3 {
			return
		}
		a.pop()
		if inFlight[it.EventID] != nil || ended[it.EventID] {
			t.Fatalf("sent again: %+v", it.Delivery)
		}
		if order == event.OrderSubscriber {
			for _, other := range inFlight {
				if other.Subscriber == it.Subscriber {
					t.Fatalf("two of subscriber %s at once", it.Subscriber)
				}
			}
			if !twoSpools && it.Position().Before(lastEnded[it.Subscriber]) {
				t.Fatalf("subscriber %s: out of order", it.Subscriber)
			}
			for _, d := range db.rows {
				if !twoSpools && d.Subscriber == it.Subscriber && d.Position().Before(it.Position()) && !ended[d.EventID] {
					t.Fatalf("subscriber %s: one that arrived earlier is still open", it.Subscriber)
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
				it.State, it.NextAt = event.Retrying, now.Add(time.Duration(dice.IntN(50))*time.Millisecond)
			} else {
				ended[id] = true
				lastEnded[it.Subscriber] = it.Position()
			}
			unsettled = append(unsettled, it.Delivery)
			if again := a.done(it, now); again != nil {
				l.sweepFrom(*again)
			}
			return
		}
	}
	settle := func() {
		for _, d := range unsettled {
			*db.find(d.EventID) = d
			if d.State.Final() {
				a.settled([]uuid.UUID{d.EventID})
			}
		}
		unsettled = nil
	}
	// A page is read at one moment and taken in at another; what settles between waits, as in the lane.
	sweep := func() {
		if l.complete() || a.waiting() >= 6 {
			return
		}
		if l.cursor == nil {
			l.cursor, l.sweep = before(a.beginSweep(*l.sweep)), nil
		}
		page := db.open(*l.cursor, 3)
		for range dice.IntN(3) {
			answer(false)
			send()
		}
		l.takePage(page, 3, now)
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
			sweep()
		case 5:
			settle()
		}
	}
	for range 5000 { // to the end
		now = now.Add(10 * time.Millisecond)
		send()
		answer(true)
		settle()
		sweep()
	}
	for _, d := range db.rows {
		if !ended[d.EventID] {
			t.Fatalf("forgotten: %+v", d)
		}
	}
	if len(a.held) > 0 || len(a.chains) > 0 || a.waiting() != 0 {
		t.Fatalf("left over: %d held, %d chains, %d waiting", len(a.held), len(a.chains), a.waiting())
	}
}
