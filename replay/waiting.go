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
	if w.steering, err = s.store.Steering(ctx); err != nil {
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
		return &event.Waiting{Code: event.WaitsForTakeover, Since: &first.SeenAt,
			Text: fmt.Sprintf("the process that delivers (%s) has been silent since %s; %s takes over",
				first.Host, utc(first.SeenAt), w.claims[i].Host)}
	}
	return &event.Waiting{Code: event.WaitsForProcess, Since: &first.SeenAt,
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
	if s := w.steering[name]; s.Action == event.ActionPause {
		return &event.Waiting{Code: event.WaitsEndpoint, Action: "resume", Since: &s.At,
			Text: fmt.Sprintf("%s was paused at %s: %s", shown, utc(s.At), s.Why)}
	}
	state := w.states[name]
	if state.State != outbound.StateBroken {
		return nil
	}
	last := lastFailure(state.Reason, state.Answer)
	text := fmt.Sprintf("%s is failing", shown)
	if !state.FailingSince.IsZero() {
		text += " since " + utc(state.FailingSince)
	}
	text += fmt.Sprintf(" (%d failed attempts in a row; the last: %s)", state.Failures, last)
	if !state.NextProbe.IsZero() {
		text += "; the next attempt is at " + utc(state.NextProbe)
	}
	return &event.Waiting{Code: event.WaitsFailing, Text: text, Action: "retry_now", Answer: last,
		Since: unlessZero(state.FailingSince), Until: unlessZero(state.NextProbe)}
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

func unlessZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// ofEndpoint returns why the open deliveries to an endpoint wait; nil if there are none, or they do not.
func (w *waits) ofEndpoint(e Endpoint, open uint64) *event.Waiting {
	why := w.endpoint(e.Name)
	if why == nil || open == 0 && (why.Code == event.WaitsForProcess || why.Code == event.WaitsForTakeover) {
		return nil
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
		text := "the replay is paused"
		if r.Reason != "" {
			text += ": " + r.Reason
		}
		return &event.Waiting{Code: event.WaitsReplay, Text: text, Action: "resume"}
	}
	if why := w.endpoint(r.Endpoint); why != nil {
		return why
	}
	counts := shownCounts(r)
	if open := event.Open(counts); open > 0 && open == counts[event.Retrying] {
		return &event.Waiting{Code: event.WaitsForRetry, Action: "retry_now",
			Text: fmt.Sprintf("all %d open deliveries wait for their next attempt", open)}
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
		q.why = w.endpoint(key.Endpoint)
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
	for _, d := range deliveries {
		if d.ReplayID == key.ReplayID && d.Endpoint == key.Endpoint && !d.State.Final() {
			subscribers = append(subscribers, d.Subscriber)
		}
	}
	var err error
	q.earlier, err = w.store.EarlierDeliveries(ctx, key, subscribers)
	return q, err
}

// waiting returns why an open delivery of the queue waits.
func (q *waitingQueue) waiting(d *event.Delivery, now time.Time) *event.Waiting {
	first, ordered := q.earlier[d.Subscriber]
	switch {
	case d.State == event.Delivering && now.Sub(d.UpdatedAt) < time.Minute:
		return &event.Waiting{Code: event.WaitsInQueue, Text: "its request is under way", Since: &d.UpdatedAt}
	case q.why != nil:
		return q.why
	case d.State == event.Retrying && d.NextAt.After(now):
		last := lastFailure(d.Error, d.Answer)
		return &event.Waiting{Code: event.WaitsForRetry, Action: "retry_now", Until: &d.NextAt, Answer: last,
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
