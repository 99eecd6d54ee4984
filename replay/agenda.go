package replay

import (
	"container/heap"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// agenda is what a lane has in memory of its queue: which deliveries may be sent now, and which wait for their time or for
// another. It does no I/O and knows no clock.
//
// A delivery is held from the moment it is added until its final state is in ClickHouse, so that a page read meanwhile,
// which still shows it as waiting, does not bring it in twice.
//
// With order, a subscriber's deliveries form a chain, and only its head may be sent. While a head waits for its next
// attempt, what stands behind it is not kept: the chain is cut, and is read again from ClickHouse once the head is
// through. So a subscriber whose event is refused for hours costs one entry, however much he does.
type agenda struct {
	held    map[uuid.UUID]bool
	again   []*item // retries that are due, before all that is fresh
	fresh   []*item // in order of arrival
	retries retryHeap
	chains  map[string]*chain // by subscriber; nil without order
	behind  int               // deliveries in chains that are not heads
}

// item is a delivery that may be sent once its event is loaded.
type item struct {
	event.Delivery
	event *event.Event
	gone  bool // the event is no longer stored
}

// chain is a subscriber's deliveries in order.
type chain struct {
	head *item // ready, in flight or waiting for its next attempt; nil: sent, and the rest is only in ClickHouse
	next []*item
	rest *store.Cursor // the earliest of those that are only in ClickHouse; nil: none is
}

func newAgenda(order event.Order) *agenda {
	a := &agenda{held: map[uuid.UUID]bool{}}
	if order == event.OrderSubscriber {
		a.chains = map[string]*chain{}
	}
	return a
}

// add takes a delivery in, unless it is held already or its subscriber's chain is cut before it. Deliveries of a
// subscriber must be added in order.
func (a *agenda) add(d event.Delivery, now time.Time) {
	if a.held[d.EventID] {
		return
	}
	it := &item{Delivery: d}
	if a.chains != nil {
		c, there := a.chains[d.Subscriber]
		switch {
		case !there:
			a.chains[d.Subscriber] = &chain{head: it}
		case c.head == nil || c.head.State == event.Retrying:
			c.leave(d)
			return
		default:
			c.next = append(c.next, it)
			a.behind++
			a.held[d.EventID] = true
			return
		}
	}
	a.held[d.EventID] = true
	a.schedule(it, now)
}

func (a *agenda) schedule(it *item, now time.Time) {
	if it.State == event.Retrying && it.NextAt.After(now) {
		heap.Push(&a.retries, it)
		return
	}
	a.fresh = append(a.fresh, it)
}

// retryAll makes every retry due.
func (a *agenda) retryAll(now time.Time) {
	for _, it := range a.retries {
		it.NextAt = now
	}
	heap.Init(&a.retries)
}

// peek returns what is to be sent next, nil when nothing is. Due retries come first: their events are the older ones.
func (a *agenda) peek(now time.Time) *item {
	for len(a.retries) > 0 && !a.retries[0].NextAt.After(now) {
		a.again = append(a.again, heap.Pop(&a.retries).(*item))
	}
	switch {
	case len(a.again) > 0:
		return a.again[0]
	case len(a.fresh) > 0:
		return a.fresh[0]
	}
	return nil
}

// pop takes out what peek has returned.
func (a *agenda) pop() {
	if len(a.again) > 0 {
		a.again[0] = nil
		a.again = a.again[1:]
		return
	}
	a.fresh[0] = nil
	a.fresh = a.fresh[1:]
}

// unloaded lists up to n deliveries whose events are needed next.
func (a *agenda) unloaded(n int) (items []*item) {
	for _, queue := range [][]*item{a.again, a.fresh} {
		for _, it := range queue {
			if len(items) == n {
				return items
			}
			if it.event == nil && !it.gone {
				items = append(items, it)
			}
		}
	}
	return items
}

// loaded tells whether the first n deliveries that go next have their events.
func (a *agenda) loaded(n int) bool {
	for _, queue := range [][]*item{a.again, a.fresh} {
		for _, it := range queue[:min(n, len(queue))] {
			if it.event == nil && !it.gone {
				return false
			}
		}
		n -= min(n, len(queue))
	}
	return n == 0
}

// done takes back what was popped, in the state that its attempt left it in. It returns where ClickHouse must be read
// again, nil when nowhere.
func (a *agenda) done(it *item, now time.Time) *store.Cursor {
	it.event = nil
	if it.State == event.Retrying {
		if a.chains != nil {
			a.cut(a.chains[it.Subscriber])
		}
		a.schedule(it, now)
		return nil
	}
	if a.chains == nil {
		return nil
	}
	c := a.chains[it.Subscriber]
	switch {
	case len(c.next) > 0:
		c.head, c.next = c.next[0], c.next[1:]
		a.behind--
		a.schedule(c.head, now)
	case c.rest != nil:
		c.head = nil // nothing of the subscriber goes before a sweep has found what is next
		return c.rest
	default:
		delete(a.chains, it.Subscriber)
	}
	return nil
}

func (a *agenda) cut(c *chain) {
	for _, it := range c.next {
		delete(a.held, it.EventID)
		c.leave(it.Delivery)
	}
	a.behind -= len(c.next)
	c.next = nil
}

// leave notes a delivery that is not kept. The earliest is not always the first, for clocks are set back.
func (c *chain) leave(d event.Delivery) {
	if place := placeOf(d); c.rest == nil || compare(place, *c.rest) < 0 {
		c.rest = &place
	}
}

// beginSweep is called before ClickHouse is read anew from a place on, the oldest that done has named: chains whose heads are
// through begin again with what is found. It returns that place, or an earlier one where some of theirs came later.
func (a *agenda) beginSweep(from store.Cursor) store.Cursor {
	for subscriber, c := range a.chains {
		if c.head == nil {
			if compare(*c.rest, from) < 0 {
				from = *c.rest
			}
			delete(a.chains, subscriber)
		}
	}
	return from
}

// settled lets go of deliveries whose final states are in ClickHouse.
func (a *agenda) settled(events []uuid.UUID) {
	for _, id := range events {
		delete(a.held, id)
	}
}

// waiting counts what could be sent or stands behind it, retries to come left out.
func (a *agenda) waiting() int { return len(a.again) + len(a.fresh) + a.behind }

// nextRetry is when the next retry is due; zero when none waits.
func (a *agenda) nextRetry() time.Time {
	if len(a.retries) == 0 {
		return time.Time{}
	}
	return a.retries[0].NextAt
}

// retryHeap has the delivery with the earliest next attempt on top; of equals the one that arrived first.
type retryHeap []*item

func (h retryHeap) Len() int { return len(h) }
func (h retryHeap) Less(i, j int) bool {
	if !h[i].NextAt.Equal(h[j].NextAt) {
		return h[i].NextAt.Before(h[j].NextAt)
	}
	return h[i].Position().Before(h[j].Position())
}
func (h retryHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *retryHeap) Push(x any)   { *h = append(*h, x.(*item)) }
func (h *retryHeap) Pop() any {
	last := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	return last
}
