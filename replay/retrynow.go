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
	// since, can no longer be sent, or are refused.
	Failed  uint64          `json:"failed" doc:"How many have failed or were cancelled."`
	Sent    uint64          `json:"sent" doc:"How many events are sent again, by replays. The other failed ones were sent again since, have no body any more, or are refused."`
	Replays []RetriedReplay `json:"replays" doc:"The replays that send the failed ones, one for each endpoint and replay that they failed in; without ids in a dry run."`
	// Refused lists the deliveries that cannot be sent now.
	Refused []RefusedRetry `json:"refused" doc:"The deliveries that cannot be sent now, by endpoint and replay, and why. The others are not affected."`
}

// RetriedReplay is a replay of failed deliveries.
type RetriedReplay struct {
	ID       uuid.UUID `json:"id,omitzero" doc:"Its id."`
	Endpoint string    `json:"endpoint" doc:"The endpoint's name, or the URL with the values of its query masked."`
	Parent   uuid.UUID `json:"parent,omitzero" doc:"The replay in which the deliveries failed; absent for live delivery."`
	Events   uint64    `json:"events" doc:"How many events it sends."`
}

// RefusedRetry is a number of deliveries that cannot be sent now.
type RefusedRetry struct {
	Endpoint string    `json:"endpoint" doc:"The endpoint's name, or the URL with the values of its query masked."`
	Parent   uuid.UUID `json:"parent,omitzero" doc:"The replay of the deliveries; absent for live delivery."`
	Count    uint64    `json:"count" doc:"How many deliveries."`
	Why      string    `json:"why" doc:"Why they cannot be sent, as a sentence."`
}

const (
	maxCommandEvents = 10_000
	maxTarget        = 2000 // bytes of the selection in the audit log; it may name many ids
)

// MaxUnconfirmed is the largest number of events that are sent without asking a person first.
const MaxUnconfirmed = 1000

// Confirm returns the reasons to ask a person before a planned retry.
func (r Retried) Confirm() []Confirmation {
	if n := r.Sent + r.Asked; n > MaxUnconfirmed {
		return []Confirmation{{"many", fmt.Sprintf("it sends %d deliveries", n)}}
	}
	return nil
}

// Retry tries deliveries again. Open ones with a retry ahead are tried now. Those that failed or were cancelled are
// sent by new replays to the same endpoint, with the options of the replay in which they failed, or of the endpoint's
// live delivery. Delivered ones are never sent again, nor are those that a later replay has delivered or still will.
// What cannot be sent to one endpoint is refused, and does not affect the others.
//
// Another call of the same actor with the same key creates no further replays: it returns those of the first call. A
// dry run changes nothing.
func (s *Service) Retry(ctx context.Context, by Actor, key string, sel event.DeliverySelection, dryRun bool) (
	result Retried, err error) {
	if len(sel.Values()) == 0 {
		return result, invalid("this would retry every delivery: give a filter, such as an endpoint or a replay")
	}
	sel = sel.Complete()
	r := retry{Service: s, by: by, key: key, sel: sel, dryRun: dryRun, planned: map[string][]event.DeliverySelection{},
		result: Retried{Replays: []RetriedReplay{}, Refused: []RefusedRetry{}}}
	counts, err := s.store.CountSelectedDeliveries(ctx, sel)
	if err != nil {
		return result, err
	}
	if r.waits, err = s.waits(ctx); err != nil {
		return result, err
	}
	if !dryRun {
		target := "/deliveries?" + sel.Values().Encode()
		if err := s.audit(ctx, by, "deliveries.retry", target[:min(len(target), maxTarget)], nil); err != nil {
			return result, err
		}
		if key != "" {
			if r.before, err = s.store.ReplaysByKeys(ctx, by.key(key+retryOf)); err != nil {
				return result, err
			}
		}
	}
	for _, q := range queuesOf(counts) {
		if err := r.retryQueue(ctx, q); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

// retryOf is in the keys of a retry's replays, after the retry's own.
const retryOf = " retry "

// retry is a call of [Service.Retry].
type retry struct {
	*Service
	by      Actor
	key     string
	sel     event.DeliverySelection
	dryRun  bool
	waits   *waits
	before  []event.Replay                       // of an earlier call with the same key
	planned map[string][]event.DeliverySelection // by a dry run, by endpoint
	result  Retried
}

// retryCount is the number of selected deliveries of a queue by what a retry does with them.
type retryCount struct {
	store.Queue
	retrying, open, delivered, failed uint64
	first, last                       time.Time // receipt of the events
}

// queuesOf groups counts by queue, in their order.
func queuesOf(counts []store.DeliveryCount) (list []retryCount) {
	for _, c := range counts {
		if len(list) == 0 || list[len(list)-1].Queue != c.Queue {
			list = append(list, retryCount{Queue: c.Queue, first: c.First, last: c.Last})
		}
		q := &list[len(list)-1]
		if c.First.Before(q.first) {
			q.first = c.First
		}
		if c.Last.After(q.last) {
			q.last = c.Last
		}
		switch c.State {
		case event.Delivered:
			q.delivered += c.N
		case event.Failed, event.Cancelled:
			q.failed += c.N
		case event.Retrying:
			q.retrying += c.N
		default:
			q.open += c.N
		}
	}
	return list
}

func (r *retry) retryQueue(ctx context.Context, q retryCount) error {
	r.result.Delivered += q.delivered
	if q.retrying+q.open > 0 {
		if err := r.retryOpen(ctx, q); err != nil {
			return err
		}
	}
	if q.failed == 0 || r.isOwn(q.ReplayID) {
		return nil
	}
	r.result.Failed += q.failed
	err := r.retryFailed(ctx, q)
	if refused, ok := errors.AsType[*InvalidError](err); ok {
		r.refuse(q.Queue, q.failed, refused.Text)
		return nil
	}
	return err
}

// isOwn reports whether an earlier call with the same key has created a replay.
func (r *retry) isOwn(id uuid.UUID) bool {
	return slices.ContainsFunc(r.before, func(made event.Replay) bool { return made.ID == id })
}

func (r *retry) refuse(q store.Queue, n uint64, why string) {
	r.result.Refused = append(r.result.Refused, RefusedRetry{TargetName(q.Endpoint), q.ReplayID, n, why})
}

// retryOpen makes the selected retries of a queue due. One attempt is made at once even if the endpoint is failing.
func (r *retry) retryOpen(ctx context.Context, q retryCount) error {
	why, err := r.waits.stopped(ctx, q.Queue)
	if err != nil {
		return err
	}
	if why != nil {
		r.refuse(q.Queue, q.retrying+q.open, why.Text)
		return nil
	}
	r.result.Asked += q.retrying
	r.result.Waiting += q.open
	if r.dryRun {
		return nil
	}
	var ids []uuid.UUID
	if q.retrying > 0 {
		ids, err = r.store.EventsToRetry(ctx, inQueue(r.sel, q.Queue, event.Retrying), maxRetries)
		if err != nil {
			return err
		}
	}
	target := q.Endpoint
	if q.ReplayID != uuid.Nil {
		target = q.ReplayID.String()
	}
	for {
		part := ids[:min(len(ids), maxCommandEvents)]
		ids = ids[len(part):]
		if err := r.store.AddCommand(ctx, event.Command{Target: target, Action: event.ActionRetry, By: r.by.Name,
			Events: part}); err != nil || len(ids) == 0 {
			return err
		}
	}
}

// inQueue narrows a selection to the deliveries of a queue in some states, of those that it selects. It must select one
// of these states.
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

// retryFailed sends the selected failed deliveries of a queue in a new replay.
func (r *retry) retryFailed(ctx context.Context, q retryCount) error {
	want, err := r.asBefore(ctx, q.Queue)
	if err != nil {
		return err
	}
	until := q.last.Add(time.Microsecond)
	failed := inQueue(r.sel, q.Queue, event.Failed, event.Cancelled)
	want.Selection = event.Selection{From: &q.first, Until: &until}
	want.retries, want.parent = &failed, q.ReplayID
	made := RetriedReplay{Endpoint: TargetName(q.Endpoint), Parent: q.ReplayID}
	if r.dryRun {
		want.except = r.planned[q.Endpoint]
		plan, err := r.Plan(ctx, r.by, want)
		if err != nil {
			return err
		}
		made.Events = plan.Count
		r.planned[q.Endpoint] = append(r.planned[q.Endpoint], failed)
	} else {
		key := r.key
		if key != "" {
			key += retryOf + q.ReplayID.String() + " " + q.Endpoint
		}
		created, err := r.Create(ctx, r.by, key, want)
		if err != nil && !errors.Is(err, ErrNothing) {
			return err
		}
		made.ID, made.Events = created.ID, created.Total
	}
	if made.Events > 0 {
		r.result.Sent += made.Events
		r.result.Replays = append(r.result.Replays, made)
	}
	return nil
}

// asBefore returns a request without a selection that sends as a queue does.
func (s *Service) asBefore(ctx context.Context, q store.Queue) (Request, error) {
	if q.ReplayID == uuid.Nil {
		e, err := s.resolve(q.Endpoint)
		return Request{To: q.Endpoint, ReplayOptions: event.ReplayOptions{Rate: e.Rate,
			Concurrency: uint16(e.Concurrency), Order: e.Order, Mode: event.ModeUndelivered}}, err
	}
	parent, err := s.store.Replay(ctx, q.ReplayID)
	if err != nil {
		return Request{}, err
	}
	want := Request{To: parent.Endpoint, ReplayOptions: parent.ReplayOptions}
	if isAdHoc(parent.Endpoint) {
		want.To = parent.URL // the name lacks the secrets of its query
	}
	return want, nil
}
