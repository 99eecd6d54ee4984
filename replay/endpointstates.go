package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"sync"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// stateInterval is how often changed states are written.
const stateInterval = 2 * time.Second

// endpointStates reads and writes the table endpoint_states: for people where delivery to each endpoint stands, and for
// the next poller how far the last one was.
type endpointStates struct {
	store *store.Store
	known subscriptionAges

	loaded    bool
	latest    map[string]event.EndpointState // in the table, by endpoint
	confirmed map[string]bool                // written by this process
	checked   time.Time                      // when changes were last looked for
}

// reset forgets the table's contents, because another process delivers and writes it.
func (s *endpointStates) reset() { s.loaded = false }

func (s *endpointStates) load(ctx context.Context) error {
	if s.loaded {
		return nil
	}
	all, err := s.store.EndpointStates(ctx)
	if err != nil {
		return err
	}
	s.loaded, s.latest, s.confirmed = true, map[string]event.EndpointState{}, map[string]bool{}
	for _, state := range all {
		s.latest[state.Endpoint] = state
	}
	return nil
}

// newPoller returns the poller of an endpoint, which continues where the last one was. The poller of a new endpoint
// begins with the events received since this process has known it. A changed subscription begins there, too.
func (s *endpointStates) newPoller(
	ctx context.Context, e Endpoint, logger *slog.Logger, metrics *instruments,
) (*poller, error) {
	if err := s.load(ctx); err != nil {
		return nil, err
	}
	p := &poller{instruments: metrics, store: s.store, logger: logger,
		queue: store.Queue{Endpoint: e.Name}, subscription: *e.Subscribe}
	last, text := s.latest[e.Name], subscriptionText(p.subscription)
	copyPosition(&p.position, last)
	p.startedAfter = last.StartedAfter
	switch isNew := last.State == stateRemoved || last.Subscription == ""; {
	case isNew:
		since, start, err := s.begin(ctx, e.Name, text)
		if err != nil {
			return nil, err
		}
		p.startedAfter = start
		p.position = event.EndpointState{Subscription: text, StartedAfter: start, Positions: start,
			FollowedSince: since, FollowedUntil: since}
		logger.Info("the endpoint is new: events received from now on are delivered to it; a replay sends older ones")
	case last.Subscription != text:
		if err := json.Unmarshal([]byte(last.Subscription), &p.previous); err != nil {
			return nil, fmt.Errorf("read the last subscription of %s: %w", e.Name, err)
		}
		_, start, err := s.begin(ctx, e.Name, text)
		if err != nil {
			return nil, err
		}
		p.startedAfter = start
		// Events received since the change may have been read with the old subscription.
		p.position.Positions = atMost(last.Positions, start)
		logger.Info("the endpoint's subscription has changed: the new one holds for events received from now on")
	}
	// Should the process die now, the next one must begin here.
	state := event.EndpointState{Endpoint: e.Name, URL: e.StoredURL(), State: outbound.StateActive}
	copyPosition(&state, p.position)
	return p, s.write(ctx, state)
}

// begin returns since when this process has known a subscription, and the numbers of the spools then. The time is
// ClickHouse's, a moment early rather than late.
func (s *endpointStates) begin(
	ctx context.Context, endpoint, text string,
) (since time.Time, start map[string]uint64, err error) {
	now, err := s.store.Now(ctx)
	if err != nil {
		return since, nil, err
	}
	since = now.Add(-s.known.age(endpoint, text))
	start, err = s.store.Start(ctx, since)
	return since, start, err
}

// atMost returns positions that are at most those in limits, for the spools in limits.
func atMost(positions, limits map[string]uint64) map[string]uint64 {
	positions = maps.Clone(positions)
	for spool, limit := range limits {
		if n, ok := positions[spool]; ok {
			positions[spool] = min(n, limit)
		}
	}
	return positions
}

// update writes the states that have changed, at most every stateInterval. targets and pollers are those of configured
// endpoints, and of those of running replays to a URL.
func (s *endpointStates) update(
	ctx context.Context, endpoints []Endpoint, target func(Endpoint) *target, poller func(Endpoint) *poller,
) error {
	if time.Since(s.checked) < stateInterval {
		return nil
	}
	s.checked = time.Now()
	if err := s.load(ctx); err != nil {
		return err
	}
	configured := map[string]bool{}
	for _, e := range endpoints {
		configured[e.Name] = true
		now := event.EndpointState{State: outbound.StateActive}
		if t := target(e); t != nil {
			now = t.Snapshot(time.Now())
		}
		now.Endpoint, now.URL = e.Name, e.StoredURL()
		last := s.latest[e.Name]
		if p := poller(e); p != nil {
			copyPosition(&now, p.snapshot())
		} else if e.Subscribe != nil && last.State != stateRemoved { // its worker is not running now
			copyPosition(&now, last)
		}
		if err := s.write(ctx, now); err != nil {
			return err
		}
	}
	for name, state := range s.latest {
		if !configured[name] && state.State != stateRemoved {
			state.State, state.Reason = stateRemoved, ""
			if err := s.write(ctx, state); err != nil {
				return err
			}
		}
	}
	return nil
}

// write writes a state unless the table has it from this process.
func (s *endpointStates) write(ctx context.Context, state event.EndpointState) error {
	last := s.latest[state.Endpoint]
	state.UpdatedAt = last.UpdatedAt
	if reflect.DeepEqual(state, last) && s.confirmed[state.Endpoint] {
		return nil
	}
	state.UpdatedAt = after(last.UpdatedAt)
	if err := s.store.SaveEndpointState(ctx, state); err != nil {
		return err
	}
	s.latest[state.Endpoint], s.confirmed[state.Endpoint] = state, true
	return nil
}

// after returns now, or the moment after last if that is later. A version written now must be newer than one written
// before, possibly by another machine whose clock is ahead.
func after(last time.Time) time.Time {
	if now := time.Now(); now.After(last) {
		return now
	}
	return last.Add(time.Microsecond)
}

// subscriptionAges remembers since when this process has known each endpoint's subscription, by the monotonic clock:
// its events are those received from then on, however long ClickHouse is away.
type subscriptionAges struct {
	mu    sync.Mutex
	known map[string]knownSubscription // by endpoint
}

type knownSubscription struct {
	text  string
	since time.Time
}

// update takes the endpoints of a new configuration.
func (a *subscriptionAges) update(endpoints []Endpoint) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := map[string]knownSubscription{}
	for _, e := range endpoints {
		if e.Subscribe == nil {
			continue
		}
		text := subscriptionText(*e.Subscribe)
		if before, ok := a.known[e.Name]; ok && before.text == text {
			known[e.Name] = before
		} else {
			known[e.Name] = knownSubscription{text, time.Now()}
		}
	}
	a.known = known
}

// age returns for how long an endpoint's subscription has been known.
func (a *subscriptionAges) age(endpoint, text string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k, ok := a.known[endpoint]; ok && k.text == text {
		return time.Since(k.since)
	}
	return 0
}
