package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/sse"
	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// Progress is the progress of a replay.
type Progress struct {
	Replay      event.Replay `json:"replay" doc:"The replay, with its counts and its recent rate."`
	SecondsLeft *float64     `json:"seconds_left,omitempty" doc:"The estimated remaining time at the recent rate; absent if unknown."`

	last bool // of this replay
}

func progressOf(r event.Replay) Progress {
	r = shortened(r)
	p := Progress{Replay: r}
	if r.PerSecond > 0 && r.State == event.ReplayRunning {
		left := float64(r.Open()) / r.PerSecond
		p.SecondsLeft = &left
	}
	return p
}

// The pauses between two readings of a replay that is watched: the first, and the longest while nothing changes.
const (
	watchInterval = time.Second
	longestPause  = 5 * time.Second
)

// Watch calls each with a replay's progress, immediately and then every second, or less often while nothing changes,
// until the replay has ended, each returns an error, or ctx ends. While the database does not answer, it calls each
// with the reason and the last known progress.
func (d *Direct) Watch(ctx context.Context, id uuid.UUID, each func(p Progress, lost error) error) error {
	read := d.recent.fresh // the first progress must show a change by the caller
	return watch(ctx, func() (event.Replay, error) {
		r, err := read(ctx, id)
		read = d.recent.get
		return r, err
	}, each)
}

// watchTimeout is how long a new client waits for each answer while it watches.
const watchTimeout = 15 * time.Second

// Watch does the same as [Direct.Watch], also while the API does not answer.
func (c *Client) Watch(ctx context.Context, id uuid.UUID, each func(p Progress, lost error) error) error {
	query := url.Values{} // the first progress must show a change by the caller
	return watch(ctx, func() (r event.Replay, err error) {
		ctx, cancel := context.WithTimeout(ctx, c.watchTimeout)
		defer cancel()
		err = c.get(ctx, "replays/"+id.String(), query, &r)
		query.Set("recent", "true")
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("%w at %s within %s", ErrUnreachable, c.base.Host, c.watchTimeout)
		}
		return r, err
	}, each)
}

func watch(ctx context.Context, read func() (event.Replay, error), each func(p Progress, lost error) error) error {
	var last Progress
	pause, still := watchInterval, 0 // still: readings without a change
	for {
		r, err := read()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		next := last
		if err == nil {
			next = progressOf(r)
		} else if !passes(err) {
			return err
		}
		if changed(next, last) {
			pause, still = watchInterval, 0
		} else if pause = min(pause*3/2, longestPause); err == nil {
			still++
		}
		last = next
		last.last = ended(last.Replay, still)
		if err := each(last, err); err != nil || last.last {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// changed reports whether two readings differ in more than the time of the last save.
func changed(next, last Progress) bool {
	next.Replay.UpdatedAt = last.Replay.UpdatedAt
	return !reflect.DeepEqual(next, last)
}

// passes reports whether a later reading may succeed after an error.
func passes(err error) bool {
	p, ok := errors.AsType[*Problem](err)
	return errors.Is(err, store.ErrUnavailable) || errors.Is(err, ErrUnreachable) ||
		ok && p.Status >= http.StatusInternalServerError
}

// ended reports whether a replay has ended. still is the number of readings since it changed. A cancelled replay has
// its final state before the outcomes of its last attempts are known, and they never become known if no process
// delivers.
func ended(r event.Replay, still int) bool {
	const patience = 4
	return r.State.Final() && (r.Open() == 0 || still >= patience)
}

// recent caches replays for a moment: many watchers of a replay cost the database as much as one.
type recent struct {
	read    func(context.Context, uuid.UUID) (event.Replay, error)
	flights singleflight.Group
	mu      sync.Mutex
	cached  map[uuid.UUID]reading
}

type reading struct {
	replay event.Replay
	at     time.Time // when it began
}

const (
	recentAge     = watchInterval * 9 / 10
	recentTimeout = 10 * time.Second // of a shared reading, which no single watcher may cancel
)

func newRecent(read func(context.Context, uuid.UUID) (event.Replay, error)) *recent {
	return &recent{read: read, cached: map[uuid.UUID]reading{}}
}

// get returns a replay as it was at most recentAge ago.
func (r *recent) get(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	r.mu.Lock()
	last, ok := r.cached[id]
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

// fresh reads a replay from the database.
func (r *recent) fresh(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	began := time.Now()
	found, err := r.read(ctx, id)
	if err == nil {
		r.store(id, reading{found, began})
	}
	return found, err
}

// store caches a reading, and removes outdated ones.
func (r *recent) store(id uuid.UUID, fresh reading) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for other, old := range r.cached {
		if time.Since(old.at) > recentAge {
			delete(r.cached, other)
		}
	}
	if last, ok := r.cached[id]; !ok || last.at.Before(fresh.at) { // a slow reading may end after a later one
		r.cached[id] = fresh
	}
}

// End is the last message of a stream. Its type gives the message its name.
type End struct {
	Progress
}

// streamRoute serves a replay's progress as Server-Sent Events. Each message contains the whole progress, so a client
// that reconnects needs no Last-Event-ID.
func (s *server) streamRoute() {
	op := s.operation(RoleRead, "GET /replays/{id}/stream", huma.Operation{OperationID: "watch-replay",
		Errors: []int{http.StatusNotFound}, Middlewares: huma.Middlewares{s.limitStreams},
		Summary: "Watch a replay",
		Description: "Server-Sent Events: `progress` immediately and then every second, while nothing changes at " +
			"least every 5 seconds; `end` when the replay is done or cancelled, which ends the stream. Reconnect " +
			"after a lost connection."})
	sse.Register(s.api, op, map[string]any{"progress": Progress{}, "end": End{}},
		func(ctx context.Context, _ *ReplayPath, send sse.Sender) {
			id, _ := ctx.Value(watchedKey{}).(uuid.UUID)
			err := s.as(ctx).Watch(ctx, id, func(p Progress, _ error) error {
				if p.Replay.ID == uuid.Nil {
					return nil // nothing is known yet
				}
				if p.last {
					return send.Data(End{p})
				}
				return send.Data(p)
			})
			if err != nil && ctx.Err() == nil {
				s.logger.Info("a stream of a replay's progress broke off", "replay_id", id, "error", err)
			}
		})
}

// watchedKey is the key of the context for the id of the replay that a stream shows.
type watchedKey struct{}

// limitStreams refuses too many streams, and a replay that cannot be read, while an answer other than a stream is still
// possible.
func (s *server) limitStreams(ctx huma.Context, next func(huma.Context)) {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.refuse(ctx, Problemf(http.StatusServiceUnavailable, "%d replays are being watched already; try again later",
			maxStreams))
		return
	}
	id, err := s.watched(ctx.Context(), ctx.Param("id"))
	if err != nil {
		s.refuse(ctx, s.problemOf(ctx.Context(), ctx.Operation().OperationID, err))
		return
	}
	ctx.SetHeader("X-Accel-Buffering", "no") // otherwise nginx holds the messages back
	next(huma.WithValue(ctx, watchedKey{}, id))
}

// watched returns the id of an existing replay.
func (s *server) watched(ctx context.Context, text string) (uuid.UUID, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	id, err := s.inPath(ctx, event.NamesReplay, text)
	if err == nil {
		_, err = s.direct.recent.fresh(ctx, id)
	}
	return id, err
}
