package replay

import (
	"context"
	"errors"
	"sync"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// lockPoll is how often a process that waits for a freezeLock looks at it.
const lockPoll = 100 * time.Millisecond

// ErrNothing reports that a selection matches no event that would be sent.
var ErrNothing = errors.New("no events match that would be sent")

// errLockLost reports that the process or ClickHouse stood still so long that another process may have frozen the same
// events.
var errLockLost = errors.New("freezing the selection took too long and nothing was created; try again")

// freeze writes the deliveries of a replay and then, by save, the replay itself. So a replay that exists has all its
// deliveries, and deliveries without a replay are never sent.
//
// Of the replays to one endpoint, one at a time is frozen, over all processes: with event.ModeUndelivered each leaves
// out what those before it send. freeze returns ErrNothing if nothing is left to send.
func freeze(ctx context.Context, db *store.Store, self store.LeaseClaim, r *event.Replay, save func() error) error {
	l := &freezeLock{store: db, lease: "freeze " + r.Endpoint, self: self}
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.keep(ctx)()
	if r.IdempotencyKey != "" { // another process may have created it meanwhile
		if made, err := db.ReplayByKey(ctx, r.IdempotencyKey); !errors.Is(err, store.ErrNotFound) {
			*r = made
			return err
		}
	}
	var err error
	if r.Total, err = db.FreezeReplay(ctx, *r); err != nil {
		return err
	}
	switch {
	case r.Total == 0:
		return ErrNothing
	case !l.held():
		return errLockLost
	}
	return save()
}

// freezeLock is the lock for freezing selections for one endpoint, across all processes. It is the one-bit algorithm of
// J. E. Burns and L. Lamport (L. Lamport, The Mutual Exclusion Problem: Part II, section 4.1), which only requires that
// a process reads what another has written to ClickHouse. A process sets its bit by claiming the lease and clears it by
// releasing it. The process with the lowest id goes first, and those with higher ids clear their bits while it waits. A
// process whose claim does not change for leaseTime counts as dead.
type freezeLock struct {
	store *store.Store
	lease string
	self  store.LeaseClaim
	seen  sightings
	dead  []store.LeaseClaim // of dead processes whose bit is set

	mu      sync.Mutex
	renewed time.Time
}

// acquire returns when this process has the lock.
func (l *freezeLock) acquire(ctx context.Context) error {
	for {
		if err := l.set(ctx, true); err != nil {
			return err
		}
		lower, higher, err := l.others(ctx)
		if err != nil {
			return err
		}
		if !lower {
			return l.awaitHigher(ctx, higher)
		}
		if err := l.set(ctx, false); err != nil {
			return err
		}
		for lower {
			if err := l.pause(ctx); err != nil {
				return err
			}
			if lower, _, err = l.others(ctx); err != nil {
				return err
			}
		}
	}
}

// awaitHigher waits, with this process's bit set, until no process with a higher id has its bit set. It then clears the
// bits of dead processes, so that the next process does not have to wait for them. A process that was wrongly taken for
// dead waits for this process, which has the lock.
func (l *freezeLock) awaitHigher(ctx context.Context, higher bool) error {
	for higher {
		if err := l.pause(ctx); err != nil {
			return err
		}
		if err := l.set(ctx, true); err != nil {
			return err
		}
		var err error
		if _, higher, err = l.others(ctx); err != nil {
			return err
		}
	}
	for _, claim := range l.dead {
		if err := l.store.ReleaseLease(ctx, l.lease, claim); err != nil {
			return err
		}
	}
	return nil
}

// keep renews the lock until the returned function releases it.
func (l *freezeLock) keep(ctx context.Context) (release func()) {
	renewing, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(leaseRenew)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.renew(renewing)
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
		_ = l.set(ctx, false) // otherwise it lapses after leaseTime
	}
}

// renew renews the lock unless it has lapsed: another process may have had it since, and a later renewal does not undo
// that.
func (l *freezeLock) renew(ctx context.Context) {
	if l.held() {
		_ = l.set(ctx, true) // held reports when that did not work
	}
}

// held reports whether no other process can have the lock.
func (l *freezeLock) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return within(l.renewed, leaseFence)
}

// set sets or clears this process's bit.
func (l *freezeLock) set(ctx context.Context, bit bool) error {
	write := l.store.RenewLease
	if !bit {
		write = l.store.ReleaseLease
	}
	asked := time.Now()
	if err := write(ctx, l.lease, l.self); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = asked
	return nil
}

// others reports whether living processes with a lower id have their bit set, and whether some with a higher id have.
func (l *freezeLock) others(ctx context.Context) (lower, higher bool, err error) {
	claims, err := l.store.LeaseClaims(ctx, l.lease)
	now := time.Now()
	l.seen.update(claims, now)
	l.dead = nil
	for _, c := range claims {
		switch {
		case c.ID == l.self.ID:
		case !l.seen.alive(c.ID, now):
			l.dead = append(l.dead, c)
		default:
			lower, higher = lower || c.ID < l.self.ID, higher || c.ID > l.self.ID
		}
	}
	return lower, higher, err
}

func (l *freezeLock) pause(ctx context.Context) error {
	sleep(ctx, lockPoll)
	return ctx.Err()
}
