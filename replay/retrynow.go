package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// Retried says what a retry of deliveries does.
type Retried struct {
	// Asked counts retrying deliveries that are tried now, and Waiting other open ones, which are on their way anyway.
	Asked   uint64 `json:"asked" doc:"How many retrying deliveries are tried now."`
	Waiting uint64 `json:"waiting" doc:"How many are open and need nothing: they are sent in their turn."`
	// Delivered were delivered. They are not sent again.
	Delivered uint64 `json:"delivered" doc:"How many are delivered; they are not sent again."`
	// Failed counts failed and cancelled ones, and Sent how many of them new replays send. The others were sent again
	// since, or can no longer be sent.
	Failed  uint64          `json:"failed" doc:"How many have failed or were cancelled."`
	Sent    uint64          `json:"sent" doc:"How many of those are sent again, by replays. The others were sent again since, or have no body any more."`
	Replays []RetriedReplay `json:"replays" doc:"The replays that send the failed ones, one for each endpoint and replay that they failed in; without ids in a dry run."`
}

// RetriedReplay is a replay of failed deliveries.
type RetriedReplay struct {
	ID       uuid.UUID `json:"id,omitzero" doc:"Its id."`
	Endpoint string    `json:"endpoint" doc:"The endpoint's name, or the URL with the values of its query masked."`
	Parent   uuid.UUID `json:"parent,omitzero" doc:"The replay in which the deliveries failed; absent for live delivery."`
	Events   uint64    `json:"events" doc:"How many events it sends."`
}

const (
	maxRetryEvents   = 100_000 // in one replay: as many as a selection may name
	maxRetryReplays  = 20
	maxCommandEvents = 10_000
	maxTarget        = 2000 // bytes of the selection in the audit log; it may name many ids
)

// Retry tries deliveries again. Open ones with a retry ahead are tried now. Those that failed or were cancelled are
// sent by new replays to the same endpoint, with the options of the replay in which they failed, or of the endpoint's
// live delivery. Delivered ones are never sent again, nor are those that a later replay has delivered or still will.
//
// Another call of the same actor with the same key creates no further replays. A dry run changes nothing.
func (s *Service) Retry(ctx context.Context, by Actor, key string, sel event.DeliverySelection, dryRun bool) (
	result Retried, err error) {
	if len(sel.Values()) == 0 {
		return result, invalid("this would retry every delivery: give a filter, such as an endpoint or a replay")
	}
	counts, err := s.store.CountSelectedDeliveries(ctx, sel)
	if err != nil {
		return result, err
	}
	if !dryRun {
		target := "/deliveries?" + sel.Values().Encode()
		if err := s.audit(ctx, by, "deliveries.retry", target[:min(len(target), maxTarget)], nil); err != nil {
			return result, err
		}
	}
	result.Replays = []RetriedReplay{}
	failed := map[store.Queue]uint64{}
	asked := map[store.Queue]bool{}
	for _, c := range counts {
		switch c.State {
		case event.Delivered:
			result.Delivered += c.N
		case event.Failed, event.Cancelled:
			result.Failed += c.N
			failed[c.Queue] += c.N
		case event.Retrying:
			result.Asked += c.N
			asked[c.Queue] = true
		default:
			result.Waiting += c.N
			asked[c.Queue] = true // its endpoint may be failing: it is probed
		}
	}
	for _, c := range counts { // in their order
		if asked[c.Queue] && !dryRun {
			if err := s.retryOpen(ctx, by, sel, c.Queue); err != nil {
				return result, err
			}
		}
		if failed[c.Queue] > 0 {
			if err := s.retryFailed(ctx, by, key, sel, c.Queue, failed[c.Queue], dryRun, &result); err != nil {
				return result, err
			}
		}
		delete(asked, c.Queue)
		delete(failed, c.Queue)
	}
	return result, nil
}

// retryOpen makes the selected retries of a queue due.
func (s *Service) retryOpen(ctx context.Context, by Actor, sel event.DeliverySelection, q store.Queue) error {
	ids, err := s.store.EventsToRetry(ctx, inQueue(sel, q, event.Retrying), time.Time{}, maxRetries)
	if err != nil {
		return err
	}
	target := q.Endpoint
	if q.ReplayID != uuid.Nil {
		target = q.ReplayID.String()
	}
	for {
		part := ids[:min(len(ids), maxCommandEvents)]
		ids = ids[len(part):]
		if err := s.store.AddCommand(ctx, event.Command{Target: target, Action: event.ActionRetry, By: by.Name,
			Events: part}); err != nil || len(ids) == 0 {
			return err
		}
	}
}

// inQueue narrows a selection to the deliveries of a queue in some states, of those that it selects.
func inQueue(sel event.DeliverySelection, q store.Queue, states ...event.DeliveryState) event.DeliverySelection {
	sel.Endpoints, sel.Replays = []string{q.Endpoint}, []string{event.LiveDelivery}
	if q.ReplayID != uuid.Nil {
		sel.Replays = []string{q.ReplayID.String()}
	}
	if len(sel.States) > 0 {
		states = slices.DeleteFunc(states, func(s event.DeliveryState) bool { return !slices.Contains(sel.States, s) })
	}
	sel.States = states
	return sel
}

// retryFailed sends the selected failed deliveries of a queue, n in number, in new replays.
func (s *Service) retryFailed(ctx context.Context, by Actor, key string, sel event.DeliverySelection, q store.Queue,
	n uint64, dryRun bool, result *Retried) error {
	if n > maxRetryReplays*maxRetryEvents {
		return invalid("%d deliveries to %s have failed; at most %d are retried at once: narrow the selection",
			n, q.Endpoint, maxRetryReplays*maxRetryEvents)
	}
	want, parent, err := s.asBefore(ctx, q)
	if err != nil {
		return err
	}
	ids, err := s.store.EventsToRetry(ctx, inQueue(sel, q, event.Failed, event.Cancelled), parent.CreatedAt, int(n))
	if err != nil {
		return err
	}
	for i := 0; len(ids) > 0; i++ {
		want.Selection = event.Selection{IDs: ids[:min(len(ids), maxRetryEvents)]}
		ids = ids[len(want.Selection.IDs):]
		made := RetriedReplay{Endpoint: TargetName(q.Endpoint), Parent: q.ReplayID}
		if dryRun {
			plan, err := s.Plan(ctx, by, want)
			if err != nil {
				return err
			}
			made.Events = plan.Count
		} else {
			part := key
			if key != "" {
				part = fmt.Sprintf("%s retry %s %s %d", key, q.ReplayID, q.Endpoint, i)
			}
			r, err := s.create(ctx, by, part, want, q.ReplayID)
			if err != nil && !errors.Is(err, ErrNothing) {
				return err
			}
			made.ID, made.Events = r.ID, r.Total
		}
		if made.Events > 0 {
			result.Sent += made.Events
			result.Replays = append(result.Replays, made)
		}
	}
	return nil
}

// asBefore returns a request without a selection that sends as a queue does, and the queue's replay if it has one.
func (s *Service) asBefore(ctx context.Context, q store.Queue) (want Request, parent event.Replay, err error) {
	if q.ReplayID == uuid.Nil {
		e, err := s.resolve(q.Endpoint)
		return Request{To: q.Endpoint, ReplayOptions: event.ReplayOptions{Rate: e.Rate,
			Concurrency: uint16(e.Concurrency), Order: e.Order, Mode: event.ModeUndelivered}}, parent, err
	}
	if parent, err = s.store.Replay(ctx, q.ReplayID); err != nil {
		return want, parent, err
	}
	want = Request{To: parent.Endpoint, ReplayOptions: parent.ReplayOptions}
	want.Pace = 0 // its events were due at other times
	if isAdHoc(parent.Endpoint) {
		want.To = parent.URL // the name lacks the secrets of its query
	}
	return want, parent, nil
}
