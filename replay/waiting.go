package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// waits finds out why deliveries, endpoints and replays wait. It has what ClickHouse knew at one moment.
type waits struct {
	*Service
	now       time.Time // of ClickHouse
	states    map[string]event.EndpointState
	steering  map[string]store.Steered
	claims    []store.LeaseClaim
	endpoints []Endpoint
	retrying  map[uuid.UUID]store.OpenRetries // of replays; see load
}

func (s *Service) waits(ctx context.Context) (*waits, error) {
	w := &waits{Service: s, states: map[string]event.EndpointState{}, endpoints: s.endpoints()}
	states, err := s.store.EndpointStates(ctx)
	if err != nil {
		return nil, err
	}
	for _, state := range states {
		w.states[state.Endpoint] = state
	}
	if w.steering, _, err = s.store.Steering(ctx); err != nil {
		return nil, err
	}
	if w.claims, err = s.store.LeaseClaims(ctx, store.DeliveryLease); err != nil {
		return nil, err
	}
	w.now, err = s.store.Now(ctx)
	return w, err
}

// process returns why nothing is delivered at all, or nil.
func (w *waits) process() *event.Waiting {
	if len(w.claims) == 0 {
		return &event.Waiting{Code: event.WaitsForProcess,
			Text: "no process delivers: start `hooktape serve` or `hooktape replay serve`"}
	}
	silent := func(c store.LeaseClaim) bool { return w.now.Sub(c.SeenAt) >= leaseTime }
	first := w.claims[0]
	if !silent(first) {
		return nil
	}
	if i := slices.IndexFunc(w.claims, func(c store.LeaseClaim) bool { return !silent(c) }); i >= 0 {
		return &event.Waiting{Code: event.WaitsForTakeover, Since: first.SeenAt,
			Text: fmt.Sprintf("the process that delivers (%s) has been silent since %s; %s takes over",
				first.Host, utc(first.SeenAt), w.claims[i].Host)}
	}
	return &event.Waiting{Code: event.WaitsForProcess, Since: first.SeenAt,
		Text: fmt.Sprintf("no process delivers: the last one (%s) was seen at %s; start `hooktape serve` or "+
			"`hooktape replay serve`",
			first.Host, utc(first.SeenAt))}
}

// endpoint returns why nothing is sent to an endpoint, or nil.
func (w *waits) endpoint(name string) *event.Waiting {
	if why := w.process(); why != nil {
		return why
	}
	shown := TargetName(name)
	if why := w.paused(name); why != nil {
		return why
	}
	state := w.states[name]
	last := lastFailure(state.Reason, state.Answer)
	if state.State == outbound.StateActive && state.NextProbe.After(w.now) {
		return &event.Waiting{Code: event.WaitsRetryAfter, Action: "retry_now", Answer: last, Until: state.NextProbe,
			Text: fmt.Sprintf("%s asked to wait until %s (Retry-After; the last answer: %s)", shown,
				utc(state.NextProbe), last)}
	}
	if state.State != outbound.StateFailing {
		return nil
	}
	text := fmt.Sprintf("%s is failing", shown)
	if !state.FailingSince.IsZero() {
		text += " since " + utc(state.FailingSince)
	}
	text += fmt.Sprintf(" (%d failed attempts in a row; the last: %s)", state.Failures, last)
	if !state.NextProbe.IsZero() {
		text += "; the next attempt is at " + utc(state.NextProbe)
	}
	return &event.Waiting{Code: event.WaitsFailing, Text: text, Action: "retry_now", Answer: last,
		Since: state.FailingSince, Until: state.NextProbe}
}

// endsBefore reports whether an endpoint only asked to wait until a time before another one.
func endsBefore(why *event.Waiting, at time.Time) bool {
	return why.Code == event.WaitsRetryAfter && why.Until.Before(at)
}

// lastFailure joins an error and the first line of the answer.
func lastFailure(err, answer string) string {
	switch {
	case err == "":
		return answer
	case answer == "":
		return err
	}
	return err + ": " + answer
}

// unwanted returns why live deliveries to an endpoint are not sent, whatever the endpoint does; nil if they are.
func (w *waits) unwanted(name string) *event.Waiting {
	i := slices.IndexFunc(w.endpoints, func(e Endpoint) bool { return e.Name == name })
	switch {
	case i < 0:
		return &event.Waiting{Code: event.WaitsRemoved,
			Text: name + " is not in the configuration; live deliveries to it wait until it is there again"}
	case w.endpoints[i].Subscribe == nil:
		return &event.Waiting{Code: event.WaitsUnwanted,
			Text: name + " has no subscribe in the configuration, so its " +
				"live deliveries wait; a replay with mode all sends their events"}
	}
	return nil
}

// stopped returns why nothing of a queue is sent until a person changes that, or nil.
func (w *waits) stopped(ctx context.Context, q store.Queue) (*event.Waiting, error) {
	if q.ReplayID == uuid.Nil {
		if why := w.unwanted(q.Endpoint); why != nil {
			return why, nil
		}
	} else {
		r, err := w.store.Replay(ctx, q.ReplayID)
		switch {
		case err != nil:
			return nil, err
		case r.State == event.ReplayPaused:
			return replayPaused(r), nil
		}
	}
	return w.paused(q.Endpoint), nil
}

// paused returns by whom and why an endpoint is paused, or nil.
func (w *waits) paused(name string) *event.Waiting {
	s := w.steering[name]
	if s.Action != event.ActionPause {
		return nil
	}
	return &event.Waiting{Code: event.WaitsEndpoint, Action: "resume", Since: s.At,
		Text: fmt.Sprintf("%s was paused at %s: %s", TargetName(name), utc(s.At), s.Why)}
}

func replayPaused(r event.Replay) *event.Waiting {
	text := "the replay is paused"
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return &event.Waiting{Code: event.WaitsReplay, Text: text, Action: "resume"}
}

// ofEndpoint returns why the open deliveries to an endpoint, live and of replays, wait; nil if there are none, or they
// do not.
func (w *waits) ofEndpoint(e Endpoint, live, replays uint64) *event.Waiting {
	why := w.endpoint(e.Name)
	switch {
	case why != nil && live+replays == 0 && (why.Code == event.WaitsForProcess || why.Code == event.WaitsForTakeover):
		return nil
	case why == nil && live > 0:
		return w.unwanted(e.Name)
	}
	return why
}

// ofReplay returns why an unfinished replay does not go on, or what limits it; nil if neither.
func (w *waits) ofReplay(r event.Replay) *event.Waiting {
	if r.State.Final() {
		return nil
	}
	if why := w.process(); why != nil {
		return why
	}
	if r.State == event.ReplayPaused {
		return replayPaused(r)
	}
	why, retries := w.endpoint(r.Endpoint), w.ofRetries(r)
	switch {
	case why != nil && (retries == nil || !endsBefore(why, retries.Until)):
		return why
	case retries != nil:
		return retries
	}
	if r.Pace > 0 {
		return &event.Waiting{Code: event.WaitsForPace,
			Text: fmt.Sprintf("it keeps the original time between events, divided by %g", r.Pace)}
	}
	if r.Rate > 0 {
		return rateLimit(r.Rate)
	}
	return nil
}

// ofRetries returns that all open deliveries of a replay wait for retries, their own or those of earlier deliveries to
// the same subscriber; nil if they do not.
func (w *waits) ofRetries(r event.Replay) *event.Waiting {
	open := w.retrying[r.ID]
	if open.Retrying == 0 || open.Free > 0 || r.Order != event.OrderSubscriber && open.Others > 0 ||
		!open.Next.After(w.now) {
		return nil
	}
	text := fmt.Sprintf("all %d open deliveries wait for their next attempt, the first at %s", open.Retrying,
		utc(open.Next))
	if open.Others > 0 {
		text = fmt.Sprintf("%d open deliveries wait for earlier ones of the same subscribers (order: subscriber), "+
			"which "+
			"wait for their next attempt: %d of them, the first at %s", open.Others, open.Retrying, utc(open.Next))
	}
	return &event.Waiting{Code: event.WaitsForRetry, Action: "retry_now", Until: open.Next, Text: text}
}

// load reads the retries of replays that may wait for nothing else.
func (w *waits) load(ctx context.Context, replays []event.Replay) error {
	w.retrying = map[uuid.UUID]store.OpenRetries{}
	for _, r := range replays {
		counts := shownCounts(r)
		if r.State != event.ReplayRunning || counts[event.Retrying] == 0 ||
			r.Order != event.OrderSubscriber && event.Open(counts) > counts[event.Retrying] {
			continue
		}
		found, err := w.store.OpenRetries(ctx, store.Queue{ReplayID: r.ID, Endpoint: r.Endpoint})
		if err != nil {
			return err
		}
		w.retrying[r.ID] = found
	}
	return nil
}

func rateLimit(rate float64) *event.Waiting {
	return &event.Waiting{Code: event.WaitsForRate, Text: fmt.Sprintf("the rate limit is %g requests a second", rate)}
}

// shownCounts returns a replay's counts. One that no process has counted yet has all its deliveries pending.
func shownCounts(r event.Replay) map[event.DeliveryState]uint64 {
	if len(r.Counts) == 0 && r.Total > 0 {
		return map[event.DeliveryState]uint64{event.Pending: r.Total}
	}
	return r.Counts
}

// WaitingReplays sets why each replay waits.
func (s *Service) WaitingReplays(ctx context.Context, replays []event.Replay) error {
	if !slices.ContainsFunc(replays, func(r event.Replay) bool { return !r.State.Final() }) {
		return nil
	}
	w, err := s.waits(ctx)
	if err != nil {
		return err
	}
	if err := w.load(ctx, replays); err != nil {
		return err
	}
	for i := range replays {
		replays[i].Waiting = w.ofReplay(replays[i])
	}
	return nil
}

// WaitingDeliveries returns why each open delivery waits; nil for final ones.
func (s *Service) WaitingDeliveries(ctx context.Context, deliveries []event.Delivery) ([]*event.Waiting, error) {
	list := make([]*event.Waiting, len(deliveries))
	if !slices.ContainsFunc(deliveries, func(d event.Delivery) bool { return !d.State.Final() }) {
		return list, nil
	}
	w, err := s.waits(ctx)
	if err != nil {
		return nil, err
	}
	queues := map[store.Queue]*waitingQueue{}
	for i := range deliveries {
		d := &deliveries[i]
		if d.State.Final() {
			continue
		}
		key := store.Queue{ReplayID: d.ReplayID, Endpoint: d.Endpoint}
		if queues[key] == nil {
			if queues[key], err = w.queue(ctx, key, deliveries); err != nil {
				return nil, err
			}
		}
		list[i] = queues[key].waiting(d, w.now)
	}
	return list, nil
}

// waitingQueue has what the open deliveries of a queue wait for together.
type waitingQueue struct {
	why     *event.Waiting           // all of them, whatever their state
	limit   *event.Waiting           // those that are due
	earlier map[string]store.Earlier // with order, by subscriber
}

func (w *waits) queue(ctx context.Context, key store.Queue, deliveries []event.Delivery) (*waitingQueue, error) {
	q := &waitingQueue{}
	order := event.OrderNone
	if key.ReplayID == uuid.Nil {
		if q.why = w.unwanted(key.Endpoint); q.why == nil {
			q.why = w.endpoint(key.Endpoint)
		}
		for _, e := range w.endpoints {
			if e.Name == key.Endpoint {
				if order = e.Order; e.Rate > 0 {
					q.limit = rateLimit(e.Rate)
				}
			}
		}
	} else {
		r, err := w.store.Replay(ctx, key.ReplayID)
		if err != nil {
			return nil, err
		}
		order = r.Order
		switch why := w.ofReplay(r); {
		case why == nil, why.Code == event.WaitsForRetry:
		case why.Code == event.WaitsForRate, why.Code == event.WaitsForPace:
			q.limit = why
		default:
			q.why = why
		}
	}
	if order != event.OrderSubscriber || q.why != nil {
		return q, nil
	}
	var subscribers []string
	var last time.Time
	for _, d := range deliveries {
		if d.ReplayID == key.ReplayID && d.Endpoint == key.Endpoint && !d.State.Final() {
			subscribers = append(subscribers, d.Subscriber)
			if at := d.Position(); at.After(last) {
				last = at
			}
		}
	}
	var err error
	q.earlier, err = w.store.EarlierDeliveries(ctx, key, subscribers, last)
	return q, err
}

// waiting returns why an open delivery of the queue waits.
func (q *waitingQueue) waiting(d *event.Delivery, now time.Time) *event.Waiting {
	first, ordered := q.earlier[d.Subscriber]
	switch {
	case d.State == event.Delivering && now.Sub(d.UpdatedAt) < time.Minute:
		return &event.Waiting{Code: event.WaitsInQueue, Text: "its request is under way", Since: d.UpdatedAt}
	case q.why != nil && !(d.State == event.Retrying && endsBefore(q.why, d.NextAt)):
		return q.why
	case d.State == event.Retrying && d.NextAt.After(now):
		last := lastFailure(d.Error, d.Answer)
		return &event.Waiting{Code: event.WaitsForRetry, Action: "retry_now", Until: d.NextAt, Answer: last,
			Text: fmt.Sprintf("attempt %d follows at %s, as the retry schedule says (the last: %s)", d.Attempts+1,
				utc(d.NextAt), last)}
	case ordered && first.EventID != d.EventID:
		return &event.Waiting{Code: event.WaitsForEvent, Event: &first.EventID,
			Text: fmt.Sprintf("it waits for event %s of the same subscriber, which is %s (order: subscriber)",
				first.EventID, first.State)}
	case q.limit != nil:
		return q.limit
	}
	return &event.Waiting{Code: event.WaitsInQueue, Text: "it is in the queue and is sent in its turn"}
}
