package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"time"

	"go.opentelemetry.io/otel/metric"

	"hooktape/internal/event"
	"hooktape/internal/store"
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

// newPoller makes the poller of an endpoint. It goes on where the last one was; for an endpoint that is new it begins
// with the events received since the endpoint is known, and for one whose subscription has changed, the changed one begins
// there.
func (r *Runner) newPoller(ctx context.Context, q store.Queue, e Endpoint, worker *worker, log *slog.Logger) (*poller, error) {
	f := &poller{store: r.store, queue: q, worker: worker, logger: log, sub: e.Subscribe.stored(),
		instruments: r.instruments, label: metric.WithAttributes(endpointLabel(e.Name))}
	if err := r.loadStates(ctx); err != nil {
		return nil, err
	}
	last := r.states.written[e.Name]
	known := last.State != stateRemoved && !last.FollowedSince.IsZero()
	if !known {
		last = event.EndpointState{}
	}
	f.saved = followed{last.Subscription, last.StartedAfter, last.Positions, last.FollowedSince, last.FollowedUntil}
	f.startedAfter = last.StartedAfter
	switch text := subscriptionText(f.sub); {
	case !known:
		since, err := r.begin(ctx, f, e)
		if err != nil {
			return nil, err
		}
		f.saved = followed{text, f.startedAfter, f.startedAfter, since, since}
		log.Info("the endpoint is new: events received from now on are delivered to it; a replay sends older ones")
	case last.Subscription == "":
		f.unnumbered = &unnumbered{from: last.FollowedUntil.Add(-unnumberedOverlap), begun: time.Now()}
	case last.Subscription != text:
		if err := json.Unmarshal([]byte(last.Subscription), &f.before); err != nil {
			return nil, fmt.Errorf("read the last subscription of %s: %w", e.Name, err)
		}
		if _, err := r.begin(ctx, f, e); err != nil {
			return nil, err
		}
		// What came since the change may have been looked at with the old subscription.
		f.saved.positions = behind(last.Positions, f.startedAfter)
		log.Info("the endpoint's subscription has changed: it holds for events received from now on")
	}
	// Should the process die now, the next one must begin here.
	return f, r.saveState(ctx, f.state(event.EndpointState{Endpoint: e.Name, URL: e.StoredURL(), State: stateActive}))
}

// begin lets a poller's subscription hold for events received since the process knows it, and returns that time by
// ClickHouse's clock: a moment early rather than late.
func (r *Runner) begin(ctx context.Context, f *poller, e Endpoint) (since time.Time, err error) {
	now, err := r.store.Now(ctx)
	if err != nil {
		return since, err
	}
	since = now.Add(-r.knownFor(e))
	f.startedAfter, err = r.store.Start(ctx, since)
	return since, err
}

// behind returns positions that are at most those in limits, for the spools in limits.
func behind(positions, limits map[string]uint64) map[string]uint64 {
	positions = maps.Clone(positions)
	for spool, limit := range limits {
		if n, ok := positions[spool]; ok {
			positions[spool] = min(n, limit)
		}
	}
	return positions
}

// state adds how far the poller is to an endpoint's state.
func (f *poller) state(s event.EndpointState) event.EndpointState {
	at := f.snapshot()
	s.Subscription, s.StartedAfter, s.Positions = at.subscription, at.startedAfter, at.positions
	s.FollowedSince, s.FollowedUntil = at.since, at.until
	return s
}

// stored is the subscription as the store asks for it.
func (s *Subscription) stored() store.Subscription {
	return store.Subscription{Sources: s.Sources, Steps: s.Steps, Kinds: s.Kinds}
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
		if e.Subscribe != nil && last.State != stateRemoved { // while its worker is away, it is as far as it was
			now.FollowedSince, now.FollowedUntil = last.FollowedSince, last.FollowedUntil
			now.Subscription, now.StartedAfter, now.Positions = last.Subscription, last.StartedAfter, last.Positions
		}
		if t := r.workers[workerID{endpoint: e.Name}]; t != nil && t.poller != nil {
			now = t.poller.state(now)
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
		r.states.written[s.Endpoint] = s
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
	last := r.states.written[s.Endpoint]
	s.UpdatedAt = last.UpdatedAt
	if reflect.DeepEqual(s, last) && r.states.own[s.Endpoint] {
		return nil
	}
	s.UpdatedAt = after(last.UpdatedAt)
	if err := r.store.SaveEndpointState(ctx, s); err != nil {
		return err
	}
	r.states.written[s.Endpoint], r.states.own[s.Endpoint] = s, true
	return nil
}
