package replay

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/store"
)

const (
	// maxPlanned is more replays than are frozen at the same time.
	maxPlanned = 1000
	// turnPoll is how often a replay that waits for its turn looks whether it has come.
	turnPoll      = 100 * time.Millisecond
	turnReason    = "waits while another replay to the same endpoint is frozen"
	nothingReason = "nothing was left to send when its selection was frozen"
)

// freeze writes the deliveries of a planned replay, and lets it run; one of which nothing is left to send is done. It may be done
// again after a crash.
//
// Of replays to one endpoint, one at a time is frozen, over all processes: with event.ModeUndelivered, each leaves out what those
// before it send.
func freeze(ctx context.Context, db *store.Store, r *event.Replay) (err error) {
	if err := awaitTurn(ctx, db, r); err != nil {
		return err
	}
	if r.Total, err = db.FreezeReplay(ctx, *r); err != nil {
		return err
	}
	state, reason := event.ReplayRunning, ""
	if r.Total == 0 {
		state, reason = event.ReplayDone, nothingReason
	}
	return become(ctx, db, r, state, reason)
}

func become(ctx context.Context, db *store.Store, r *event.Replay, state event.ReplayState, reason string) error {
	r.State, r.Reason, r.UpdatedAt = state, reason, after(r.UpdatedAt)
	return db.SaveReplay(ctx, *r)
}

// awaitTurn returns when no other replay to the same endpoint is being frozen, and none will be before this one is.
//
// It is the one-bit algorithm of J. E. Burns and L. Lamport (L. Lamport, The Mutual Exclusion Problem: Part II, section 4.1), which needs
// no more of ClickHouse than to show what was written. The bit is the state planned without a reason. A replay with a lower id goes first;
// the others take their bit back while it waits.
func awaitTurn(ctx context.Context, db *store.Store, r *event.Replay) error {
	for {
		if err := become(ctx, db, r, event.ReplayPlanned, ""); err != nil {
			return err
		}
		lower, higher, err := others(ctx, db, r)
		if err != nil {
			return err
		}
		if !lower {
			for higher {
				if _, higher, err = othersLater(ctx, db, r); err != nil {
					return err
				}
			}
			return nil
		}
		if err := become(ctx, db, r, event.ReplayPlanned, turnReason); err != nil {
			return err
		}
		for lower {
			if lower, _, err = othersLater(ctx, db, r); err != nil {
				return err
			}
		}
	}
}

// others reports whether other replays to the endpoint have their bit set: ones with a lower id, and ones with a higher. The maker of
// one that has not moved for orphanAge is taken for dead.
func others(ctx context.Context, db *store.Store, r *event.Replay) (lower, higher bool, err error) {
	planned, err := db.Replays(ctx, uuid.Nil, maxPlanned, event.ReplayPlanned)
	for _, other := range planned {
		switch {
		case other.Endpoint != r.Endpoint || other.ID == r.ID || other.Reason != "" || time.Since(other.UpdatedAt) > orphanAge:
		case bytes.Compare(other.ID[:], r.ID[:]) < 0:
			lower = true
		default:
			higher = true
		}
	}
	return lower, higher, err
}

// othersLater is others after a moment.
func othersLater(ctx context.Context, db *store.Store, r *event.Replay) (lower, higher bool, err error) {
	select {
	case <-time.After(turnPoll):
		return others(ctx, db, r)
	case <-ctx.Done():
		return false, false, ctx.Err()
	}
}
