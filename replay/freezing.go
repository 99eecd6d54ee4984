package replay

import (
	"context"
	"errors"
	"sync"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// turnPoll is how often a process that waits for its turn looks whether it has come.
const turnPoll = 100 * time.Millisecond

// errTurnLost: the process or ClickHouse stood still so long that another process may have frozen the same events.
var errTurnLost = errors.New("freezing the selection took too long and nothing was made; try again")

// freeze writes the deliveries of a replay and then the replay itself: whatever happens in between, a replay that exists has all
// its deliveries, and deliveries without a replay are never sent.
//
// Of replays to one endpoint, one at a time is frozen, over all processes: with event.ModeUndelivered, each leaves out what those
// before it send. It returns ErrNothing when nothing is left to send. save is called when the deliveries are there.
func (s *Service) freeze(ctx context.Context, r *event.Replay, save func() error) error {
	t := &freezeTurn{store: s.store, lease: "freeze " + r.Endpoint, self: s.self}
	if err := t.await(ctx); err != nil {
		return err
	}
	defer t.keep(ctx)()
	if r.IdempotencyKey != "" { // another process may have made it meanwhile
		if made, err := s.store.ReplayByKey(ctx, r.IdempotencyKey); !errors.Is(err, store.ErrNotFound) {
			*r = made
			return err
		}
	}
	var err error
	if r.Total, err = s.store.FreezeReplay(ctx, *r); err != nil {
		return err
	}
	switch {
	case r.Total == 0:
		return ErrNothing
	case !t.held():
		return errTurnLost
	}
	return save()
}

// freezeTurn is the right to freeze selections for an endpoint. Which process has it is found out with the one-bit algorithm of
// J. E. Burns and L. Lamport (L. Lamport, The Mutual Exclusion Problem: Part II, section 4.1), which needs no more of ClickHouse
// than to show what was written. A process sets its bit by asking for the lease and clears it by releasing it. One with a lower
// id goes first; the others clear their bits while it waits. A process whose bit does not change for leaseTime counts as dead.
type freezeTurn struct {
	store *store.Store
	lease string
	self  store.LeaseClaim
	seen  sightings
	dead  []store.LeaseClaim // that still have their bit

	mu      sync.Mutex
	renewed time.Time
}

// await returns when no other process has the turn, and none can get it before this one gives it back.
func (t *freezeTurn) await(ctx context.Context) error {
	for {
		if err := t.set(ctx, true); err != nil {
			return err
		}
		lower, higher, err := t.others(ctx)
		switch {
		case err != nil:
			return err
		case !lower:
			for higher && err == nil {
				if err = t.pause(ctx); err == nil {
					err = t.set(ctx, true)
				}
				if err == nil {
					_, higher, err = t.others(ctx)
				}
			}
			if err == nil {
				err = t.clearDead(ctx)
			}
			return err
		}
		if err := t.set(ctx, false); err != nil {
			return err
		}
		for lower {
			if err := t.pause(ctx); err != nil {
				return err
			}
			if lower, _, err = t.others(ctx); err != nil {
				return err
			}
		}
	}
}

// clearDead clears the bits of dead processes, so that whoever comes later need not wait to see that they are dead. This process
// has the turn: if one of them goes on after all, it waits.
func (t *freezeTurn) clearDead(ctx context.Context) error {
	for _, h := range t.dead {
		if err := t.store.ReleaseLease(ctx, t.lease, h); err != nil {
			return err
		}
	}
	return nil
}

// keep renews the turn until the returned function gives it back.
func (t *freezeTurn) keep(ctx context.Context) (end func()) {
	renewing, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(leaseRenew)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				t.renew(renewing)
			case <-renewing.Done():
				return
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = t.set(ctx, false) // else it lapses after leaseTime
	}
}

// renew keeps the turn, unless it has lapsed: another process may have had it since, and a later renewal does not undo that.
func (t *freezeTurn) renew(ctx context.Context) {
	if t.held() {
		_ = t.set(ctx, true) // held tells when that did not work
	}
}

// held reports whether no other process can have the turn.
func (t *freezeTurn) held() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return within(t.renewed, leaseFence)
}

func (t *freezeTurn) set(ctx context.Context, bit bool) error {
	asked := time.Now()
	write := t.store.RenewLease
	if !bit {
		write = t.store.ReleaseLease
	}
	if err := write(ctx, t.lease, t.self); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewed = asked
	return nil
}

// others reports whether processes with a lower id have their bit set, and whether ones with a higher have.
func (t *freezeTurn) others(ctx context.Context) (lower, higher bool, err error) {
	holders, err := t.store.LeaseClaims(ctx, t.lease)
	now := time.Now()
	t.seen.take(holders, now)
	t.dead = nil
	for _, h := range holders {
		switch {
		case h.ID == t.self.ID:
		case !t.seen.alive(h.ID, now):
			t.dead = append(t.dead, h)
		default:
			lower, higher = lower || h.ID < t.self.ID, higher || h.ID > t.self.ID
		}
	}
	return lower, higher, err
}

func (t *freezeTurn) pause(ctx context.Context) error {
	select {
	case <-time.After(turnPoll):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
