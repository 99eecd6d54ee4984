package replay

import (
	"bytes"
	"container/heap"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// readyQueue has the deliveries that a worker has in memory, and how far it has read the others. It does no I/O and has
// no clock.
//
// The worker reads deliveries in scans, page by page, in the order of (position, id). The pages of a scan do not
// overlap, so a scan returns each delivery once, and inMemory keeps a later scan from adding it again. Before a scan
// reads a part of the queue again, all outcomes so far are stored: a delivery that it finds open is open, or in memory.
//
// Without order there are two scans. The tail continues behind everything that was read. The backlog reads the part
// before it again if something there is not in memory. So new events overtake a long backlog. With order there is only
// the tail. It starts again when it has come to its end, because what it has not read may be an earlier event of the
// same subscriber.
//
// With order, a subscriber's deliveries form a chain, and only its head may be sent. While the head waits for a retry,
// the rest of the chain is dropped from memory. It is read again when the head has ended. So a subscriber whose event
// fails for hours takes one entry, however many events follow.
type readyQueue struct {
	limits   queueLimits
	inMemory map[uuid.UUID]bool // by event
	ended    []uuid.UUID        // still in inMemory: a page that was read before they ended may show them
	ready    [3][]*item         // by origin
	bytes    [3]int             // of the loaded bodies
	turn     int                // the origin whose turn is next
	retries  retryHeap          // not due yet
	chains   map[string]*chain
	behind   int // deliveries in chains that are not heads

	tail, backlog scan
	scans         int           // started so far
	again         *store.Cursor // from where to read again; nil: nothing
	new           *store.Cursor // the first delivery stored since the last page
}

// The origins of ready deliveries. They take turns, so neither a backlog nor many retries delay new events.
const (
	fromRetries = iota
	fromBacklog
	fromTail
)

// item is a delivery that may be sent once its event is loaded.
type item struct {
	event.Delivery
	event *event.Event
	gone  bool // the event is no longer stored
	scan  int  // number of the scan that read it
	from  int  // its origin
}

// scan has read up to at, and reads on up to end while there is more. A zero end is no limit.
type scan struct {
	number  int
	at, end store.Cursor
	more    bool
	reread  bool // it reads a part that was read before
	begun   bool // its first page was read
}

// chain is a subscriber's deliveries in order.
type chain struct {
	head *item // ready, in flight or waiting for a retry; nil if it has ended and the rest is only in ClickHouse
	next []*item
	rest *store.Cursor // the first delivery that is only in ClickHouse; nil if none
}

// payloadBytes bounds the events that one query loads, and those loaded of one origin.
const payloadBytes = 8 << 20

// queueLimits bound a readyQueue's memory.
type queueLimits struct {
	page    int // deliveries read at a time
	few     int // the next page is read when fewer are ready
	retries int // waiting for a retry
}

func newReadyQueue(order event.Order, limits queueLimits) *readyQueue {
	q := &readyQueue{limits: limits, inMemory: map[uuid.UUID]bool{}, tail: scan{more: true}}
	if order == event.OrderSubscriber {
		q.chains = map[string]*chain{}
	}
	return q
}

// compare orders places in a queue.
func compare(a, b store.Cursor) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// placeOf returns the place of a delivery in its queue.
func placeOf(d event.Delivery) store.Cursor { return store.Cursor{At: d.Position(), ID: d.EventID} }

// earlier returns the earlier of two places. The first may be nil.
func earlier(a *store.Cursor, b store.Cursor) *store.Cursor {
	if a != nil && compare(*a, b) <= 0 {
		return a
	}
	return &b
}

// before returns the place right before another one: reading after it includes that one.
func before(c store.Cursor) store.Cursor {
	if c.At.IsZero() {
		return c
	}
	return store.Cursor{At: c.At.Add(-time.Microsecond), ID: uuid.Max}
}

// arrived tells the queue that new deliveries are stored, the first of them at place.
func (q *readyQueue) arrived(place store.Cursor) { q.new = earlier(q.new, place) }

// page is a part of a scan to read.
type page struct {
	*scan
	after, upTo store.Cursor
	flush       bool // first store all outcomes
}

// nextPage returns the page to read next, or nil if there is nothing to read or no room. Call take before calling it
// again.
func (q *readyQueue) nextPage() *page {
	q.extendScans()
	rescan := &q.backlog
	if q.chains != nil {
		rescan = &q.tail
	}
	full := q.retrying()+q.limits.page > q.limits.retries
	if q.again != nil && !rescan.more && !full {
		q.readAgain(rescan)
	}
	s := &q.backlog
	if q.tail.more && len(q.ready[fromTail])+q.behind < q.limits.few && (!full || q.chains == nil) {
		s = &q.tail
	} else if full || !s.more || len(q.ready[fromBacklog]) >= q.limits.few {
		return nil
	}
	return &page{scan: s, after: s.at, upTo: s.end, flush: s.reread && !s.begun}
}

// extendScans lets a scan read the new deliveries.
func (q *readyQueue) extendScans() {
	if q.new == nil {
		return
	}
	place := *q.new
	q.new = nil
	switch {
	case !place.At.After(q.tail.at.At): // at the same moment, and possibly not read
		q.again = earlier(q.again, place)
	case q.tail.more && !q.backlog.more && q.chains == nil: // the unread part before them becomes the backlog
		q.backlog = scan{at: q.tail.at, end: before(place), more: true}
		q.tail.at = before(place)
	}
	q.tail.more = true
}

// readAgain starts a scan of a part that was read before.
func (q *readyQueue) readAgain(s *scan) {
	from := q.again
	q.again = nil
	for subscriber, c := range q.chains {
		if c.head == nil {
			from = earlier(from, *c.rest)
			delete(q.chains, subscriber)
		}
	}
	q.forgetEnded()
	q.scans++
	*s = scan{number: q.scans, at: before(*from), more: true, reread: true}
	if q.chains == nil {
		s.end = q.tail.at
	}
}

func (q *readyQueue) forgetEnded() {
	for _, id := range q.ended {
		delete(q.inMemory, id)
	}
	q.ended = nil
}

// take adds the deliveries of a page. A page that is not full ends its scan.
func (q *readyQueue) take(p *page, found []event.Delivery, now time.Time) {
	origin := fromBacklog
	if p.scan == &q.tail {
		origin = fromTail
	}
	for _, d := range found {
		q.add(&item{Delivery: d, scan: p.number}, origin, now)
	}
	p.begun = true
	if n := len(found); n > 0 {
		p.at = placeOf(found[n-1])
	}
	if p.more = len(found) == q.limits.page; !p.more && p.reread {
		q.forgetEnded()
	}
}

// add adds a delivery, unless it is in memory already or an earlier one of its subscriber waits.
func (q *readyQueue) add(it *item, origin int, now time.Time) {
	if q.inMemory[it.EventID] {
		return
	}
	if q.chains != nil {
		c, there := q.chains[it.Subscriber]
		switch {
		case !there:
			q.chains[it.Subscriber] = &chain{head: it}
		case c.head == nil || c.head.State == event.Retrying || c.rest != nil:
			c.rest = earlier(c.rest, placeOf(it.Delivery))
			return
		default:
			c.insert(it)
			q.behind++
			q.inMemory[it.EventID] = true
			return
		}
	}
	q.inMemory[it.EventID] = true
	q.schedule(it, origin, now)
}

// insert puts a delivery behind the earlier ones. A late spool may bring earlier deliveries after later ones.
func (c *chain) insert(it *item) {
	i, _ := slices.BinarySearchFunc(c.next, it, func(a, b *item) int {
		return compare(placeOf(a.Delivery), placeOf(b.Delivery))
	})
	c.next = slices.Insert(c.next, i, it)
}

func (q *readyQueue) schedule(it *item, origin int, now time.Time) {
	switch {
	case it.State != event.Retrying || !it.NextAt.After(now):
		q.enqueue(it, origin)
	case q.chains == nil && q.retrying() >= q.limits.retries: // no room; it is read again when there is some
		q.again = earlier(q.again, placeOf(it.Delivery))
		q.release(it)
	default:
		heap.Push(&q.retries, it)
	}
}

func (q *readyQueue) enqueue(it *item, origin int) {
	it.from = origin
	q.ready[origin] = append(q.ready[origin], it)
}

// release removes a delivery from memory. A page that was read before may still have it.
func (q *readyQueue) release(it *item) {
	for _, s := range []*scan{&q.tail, &q.backlog} {
		if s.more && s.reread && it.scan != s.number {
			q.ended = append(q.ended, it.EventID)
			return
		}
	}
	delete(q.inMemory, it.EventID)
}

// done returns a popped delivery to the queue, in the state after its attempt.
func (q *readyQueue) done(it *item, now time.Time) {
	it.event = nil
	c := q.chains[it.Subscriber]
	if it.State == event.Retrying {
		if c != nil {
			q.cut(c)
		}
		q.schedule(it, fromRetries, now)
		return
	}
	q.release(it)
	switch {
	case c == nil:
	case len(c.next) > 0:
		c.head, c.next = c.next[0], c.next[1:]
		q.behind--
		q.schedule(c.head, fromTail, now)
	case c.rest != nil:
		c.head = nil // the subscriber's next delivery waits until a scan has found it
		q.again = earlier(q.again, *c.rest)
	default:
		delete(q.chains, it.Subscriber)
	}
}

// cut drops the deliveries behind a chain's head from memory.
func (q *readyQueue) cut(c *chain) {
	for _, it := range c.next {
		delete(q.inMemory, it.EventID)
		c.rest = earlier(c.rest, placeOf(it.Delivery))
	}
	q.behind -= len(c.next)
	c.next = nil
}

// retrying returns the number of deliveries that wait for a retry, or for their turn to make it.
func (q *readyQueue) retrying() int { return len(q.retries) + len(q.ready[fromRetries]) }

// retry makes those retries due that it should.
func (q *readyQueue) retry(now time.Time, should func(event.Delivery) bool) {
	for _, it := range q.retries {
		if should(it.Delivery) {
			it.NextAt = now
		}
	}
	heap.Init(&q.retries)
}

// peek returns the next delivery to send that is loaded and passes may; nil if none.
func (q *readyQueue) peek(now time.Time, may func(*item) bool) *item {
	for len(q.retries) > 0 && !q.retries[0].NextAt.After(now) {
		q.enqueue(heap.Pop(&q.retries).(*item), fromRetries)
	}
	for i := range q.ready {
		list := q.ready[(q.turn+i)%len(q.ready)]
		if len(list) > 0 && !list[0].unloaded() && may(list[0]) {
			return list[0]
		}
	}
	return nil
}

// pop removes the delivery that peek has returned.
func (q *readyQueue) pop(it *item) {
	q.ready[it.from][0] = nil
	q.ready[it.from] = q.ready[it.from][1:]
	q.turn = it.from + 1
	if it.event != nil {
		q.bytes[it.from] -= len(it.event.Body)
	}
}

// unloaded returns up to n deliveries whose events are needed next, new ones first. An origin has some only if one of
// its first n/2 is not loaded, because one query serves many.
func (q *readyQueue) unloaded(n int) (items []*item) {
	for _, origin := range []int{fromTail, fromRetries, fromBacklog} {
		list := q.ready[origin]
		if q.bytes[origin] >= payloadBytes || !slices.ContainsFunc(list[:min(n/2, len(list))], (*item).unloaded) {
			continue
		}
		for _, it := range list[:min(n, len(list))] {
			if it.unloaded() && len(items) < n {
				items = append(items, it)
			}
		}
	}
	return items
}

func (it *item) unloaded() bool { return it.event == nil && !it.gone }

// attach gives deliveries their events. Events of at least payloadBytes are only the first part of the requested ones,
// in order of receipt. An event missing from a complete result was deleted.
func (q *readyQueue) attach(asked []*item, events []event.Event) {
	byID := make(map[uuid.UUID]*event.Event, len(events))
	size := 0
	for i := range events {
		byID[events[i].ID] = &events[i]
		size += len(events[i].Body)
	}
	whole := size < payloadBytes
	for _, it := range asked {
		it.event = byID[it.EventID]
		switch last := len(events) - 1; {
		case it.event != nil:
			q.bytes[it.from] += len(it.event.Body)
		// ClickHouse orders the ids of one moment otherwise
		case whole, it.EventReceivedAt.Before(events[last].ReceivedAt):
			it.gone = true
		}
	}
}

// empty reports whether no delivery is open.
func (q *readyQueue) empty() bool {
	return !q.tail.more && !q.backlog.more && q.again == nil && q.new == nil && len(q.inMemory) == len(q.ended)
}

// size returns the number of open deliveries in memory.
func (q *readyQueue) size() int { return len(q.inMemory) - len(q.ended) }

// nextRetry returns when the next retry is due; zero if none waits.
func (q *readyQueue) nextRetry() time.Time {
	if len(q.retries) == 0 {
		return time.Time{}
	}
	return q.retries[0].NextAt
}

// retryHeap has the delivery with the earliest next attempt on top, and among equals the one with the first position.
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
