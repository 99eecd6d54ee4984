package api

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"hooktape/internal/event"
)

// recent remembers replays for a moment, so that many who watch one replay cost the database as much as one who does.
type recent struct {
	read    func(context.Context, uuid.UUID) (event.Replay, error)
	flights singleflight.Group
	mu      sync.Mutex
	seen    map[uuid.UUID]sighting
}

type sighting struct {
	replay event.Replay
	at     time.Time // when the look began
}

const (
	recentAge     = watchInterval * 9 / 10
	recentTimeout = 10 * time.Second // of a look, which is nobody's own
)

func newRecent(read func(context.Context, uuid.UUID) (event.Replay, error)) *recent {
	return &recent{read: read, seen: map[uuid.UUID]sighting{}}
}

// get returns a replay as it was at most recentAge ago.
func (r *recent) get(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	r.mu.Lock()
	last, ok := r.seen[id]
	r.mu.Unlock()
	if ok && time.Since(last.at) < recentAge {
		return last.replay, nil
	}
	flight := r.flights.DoChan(id.String(), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recentTimeout)
		defer cancel()
		return r.fresh(ctx, id)
	})
	select {
	case result := <-flight:
		found, _ := result.Val.(event.Replay)
		return found, result.Err
	case <-ctx.Done():
		return event.Replay{}, ctx.Err()
	}
}

// fresh returns a replay as it is now.
func (r *recent) fresh(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	begun := time.Now()
	found, err := r.read(ctx, id)
	if err == nil {
		r.note(id, sighting{found, begun})
	}
	return found, err
}

// note remembers a sighting, and forgets those that are none any more.
func (r *recent) note(id uuid.UUID, seen sighting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, s := range r.seen {
		if time.Since(s.at) > recentAge {
			delete(r.seen, other)
		}
	}
	if last, ok := r.seen[id]; !ok || last.at.Before(seen.at) { // a slow look is older than a quick one after it
		r.seen[id] = seen
	}
}
