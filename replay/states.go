package replay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"hooktape/event"
	"hooktape/store"
)

// stateInterval is how often an endpoint's state is written while it changes.
const stateInterval = 2 * time.Second

// endpointStates is what the runner, or the one before it, has written of endpoints' states.
type endpointStates struct {
	loaded  bool
	written map[string]event.EndpointState // by endpoint
	own     map[string]bool                // those that this runner has written
	at      time.Time
}

// newFollower makes the follower of an endpoint: from where the last one was, else from now on.
func (r *Runner) newFollower(ctx context.Context, q store.Queue, e Endpoint, lane *inbox, log *slog.Logger) (*follower, error) {
	f := &follower{store: r.store, queue: q, lane: lane, logger: log,
		sub: store.Subscription{Sources: e.Subscribe.Sources, Steps: e.Subscribe.Steps, Kinds: e.Subscribe.Kinds}}
	if err := r.loadStates(ctx); err != nil {
		return nil, err
	}
	states, err := r.store.EndpointStates(ctx)
	if err != nil {
		return nil, err
	}
	last, known := lastFollowed(states, e.Name, r.options.Shard.String())
	if !known {
		if last.FollowedSince, err = r.store.Now(ctx); err != nil {
			return nil, err
		}
		last.FollowedUntil = last.FollowedSince
		log.Info("the endpoint is new: what is stored from now on is delivered to it; a replay sends what is older")
	}
	f.since = last.FollowedSince
	f.position.Store(last.FollowedUntil.UnixMilli())
	// Should the process die now, the next one must begin here.
	return f, r.saveState(ctx, event.EndpointState{Endpoint: e.Name, URL: e.StoredURL(), State: stateActive, FollowedSince: f.since, FollowedUntil: f.until()})
}

// lastFollowed is how far an endpoint was followed by this shard. When the work was divided otherwise meanwhile, it is as far
// as the one that was behind the others then, and if a division never came to be whole, as far as in the one before it. An
// endpoint that was removed meanwhile begins anew.
func lastFollowed(states []event.EndpointState, endpoint, shard string) (last event.EndpointState, known bool) {
	states = slices.DeleteFunc(slices.Clone(states), func(s event.EndpointState) bool {
		return s.Endpoint != endpoint || s.State == stateRemoved || s.FollowedSince.IsZero()
	})
	slices.SortFunc(states, func(a, b event.EndpointState) int { return b.UpdatedAt.Compare(a.UpdatedAt) }) // the newest division first
	for len(states) > 0 {
		newest, count := divisionOf(states[0]), 0
		for _, s := range states {
			if divisionOf(s) != newest {
				continue
			}
			count++
			if s.Shard == shard {
				return s, true
			}
			if last.FollowedUntil.IsZero() || s.FollowedUntil.Before(last.FollowedUntil) {
				last = s
			}
		}
		known = true
		if fmt.Sprint(count) == newest {
			break
		}
		states = slices.DeleteFunc(states, func(s event.EndpointState) bool { return divisionOf(s) == newest })
	}
	return last, known
}

// divisionOf is in how many shards the work was divided when a state was written.
func divisionOf(s event.EndpointState) string {
	_, count, _ := strings.Cut(s.Shard, "/")
	return count
}

// saveStates writes the states of endpoints that have changed.
func (r *Runner) saveStates(ctx context.Context) error {
	if time.Since(r.states.at) < stateInterval {
		return nil
	}
	r.states.at = time.Now()
	if err := r.loadStates(ctx); err != nil {
		return err
	}
	configured := map[string]bool{}
	for _, e := range *r.endpoints.Load() {
		configured[e.Name] = true
		last := r.states.written[e.Name]
		now := event.EndpointState{Endpoint: e.Name, URL: e.StoredURL(), State: stateActive}
		if t := r.targets[e.Name]; t != nil {
			now.State, now.Reason, now.Failures, now.NextProbe = t.snapshot()
		}
		if e.Subscribe != nil && last.State != stateRemoved { // while its lane is away, it is as far as it was
			now.FollowedSince, now.FollowedUntil = last.FollowedSince, last.FollowedUntil
		}
		if t := r.lanes[laneID{endpoint: e.Name}]; t != nil && t.follower != nil {
			now.FollowedSince, now.FollowedUntil = t.follower.since, t.follower.until()
		}
		if err := r.saveState(ctx, now); err != nil {
			return err
		}
	}
	for name, s := range r.states.written {
		if !configured[name] && s.State != stateRemoved {
			s.State, s.Reason = stateRemoved, ""
			if err := r.saveState(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runner) loadStates(ctx context.Context) error {
	if r.states.loaded {
		return nil
	}
	all, err := r.store.EndpointStates(ctx)
	if err != nil {
		return err
	}
	r.states = endpointStates{loaded: true, at: r.states.at, written: map[string]event.EndpointState{}, own: map[string]bool{}}
	for _, s := range all {
		if s.Shard == r.options.Shard.String() {
			r.states.written[s.Endpoint] = s
		}
	}
	return nil
}

// after is now, or the moment after last where that is later: what is written now must count for newer than what was
// written before, though that may have been by another machine, whose clock is ahead.
func after(last time.Time) time.Time {
	if now := time.Now(); now.After(last) {
		return now
	}
	return last.Add(time.Microsecond)
}

func (r *Runner) saveState(ctx context.Context, s event.EndpointState) error {
	s.Shard = r.options.Shard.String()
	last := r.states.written[s.Endpoint]
	s.UpdatedAt = last.UpdatedAt
	if s == last && r.states.own[s.Endpoint] {
		return nil
	}
	s.UpdatedAt = after(last.UpdatedAt)
	if err := r.store.SaveEndpointState(ctx, s); err != nil {
		return err
	}
	r.states.written[s.Endpoint], r.states.own[s.Endpoint] = s, true
	return nil
}
