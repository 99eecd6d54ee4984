package replay

import (
	"sync"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

// inbox is where others leave things for a lane without waiting for it.
type inbox struct {
	poke chan struct{} // something is new

	mu      sync.Mutex
	settled []uuid.UUID      // deliveries whose final state is in ClickHouse
	offers  []event.Delivery // new ones, in ClickHouse already
	resumed time.Time        // when somebody resumed the endpoint; zero: not since the lane has looked
	missed  *store.Cursor    // from here on deliveries may be in ClickHouse that were not offered
}

func newInbox() inbox { return inbox{poke: make(chan struct{}, 1)} }

func (b *inbox) wake() {
	select {
	case b.poke <- struct{}{}:
	default:
	}
}

func (b *inbox) settle(id uuid.UUID) {
	b.mu.Lock()
	b.settled = append(b.settled, id)
	b.mu.Unlock()
}

func (b *inbox) offer(deliveries []event.Delivery) {
	b.mu.Lock()
	b.offers = append(b.offers, deliveries...)
	b.mu.Unlock()
	b.wake()
}

func (b *inbox) miss(from store.Cursor) {
	b.mu.Lock()
	if b.missed == nil || compare(from, *b.missed) < 0 {
		b.missed = &from
	}
	b.mu.Unlock()
	b.wake()
}

// resume makes what was tried before a time due now.
func (b *inbox) resume(at time.Time) {
	b.mu.Lock()
	b.resumed = at
	b.mu.Unlock()
	b.wake()
}

func (b *inbox) takeResumed() (at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, b.resumed = b.resumed, time.Time{}
	return at
}

func (b *inbox) takeSettled() (list []uuid.UUID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, b.settled = b.settled, nil
	return list
}

func (b *inbox) takeOffers() (list []event.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, b.offers = b.offers, nil
	return list
}

func (b *inbox) takeMissed() (from *store.Cursor) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, b.missed = b.missed, nil
	return from
}
