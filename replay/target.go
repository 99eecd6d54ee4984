package replay

import (
	"reflect"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// target is an endpoint with its client and its breaker, shared by all workers to it: live deliveries and replays alike.
type target struct {
	Endpoint
	client *outbound.Client
	breaker
	resumed   uint64    // number of the last command to resume it
	resumedAt time.Time // by that command
}

func newTarget(e Endpoint, own *outbound.OwnAddresses) (*target, error) {
	client, err := outbound.NewClient(e.Endpoint, own)
	if err != nil {
		return nil, err
	}
	return &target{Endpoint: e, client: client, breaker: breaker{options: e.Breaker}}, nil
}

// refreshTargets makes a target for each configured endpoint, anew when it has changed, lets go of those that nothing
// needs any more, and pauses and resumes them.
func (r *Runner) refreshTargets(steering map[string]store.Steered) {
	needed := map[string]bool{}
	for _, e := range *r.endpoints.Load() {
		needed[targetKey(e)] = true
		r.target(e)
	}
	for _, t := range r.workers {
		needed[targetKey(t.plan.endpoint)] = true
	}
	for key, t := range r.targets {
		if !needed[key] {
			t.client.CloseIdleConnections()
			delete(r.targets, key)
		}
	}
	for _, t := range r.targets {
		switch s := steering[t.Name]; s.Action {
		case event.ActionPause:
			t.pause(s.Why)
		case event.ActionResume:
			if s.Number > t.resumed {
				t.resumed, t.resumedAt = s.Number, s.At
				t.resume().log(r.logger.With("endpoint", t.Name))
				r.retryNow(t)
				r.states.at = time.Time{} // the state is written now
			}
		}
	}
}

// retryNow makes all that waits for another attempt at a target due. A worker that begins later does the same for what it reads.
func (r *Runner) retryNow(t *target) {
	for _, other := range r.workers {
		if targetKey(other.plan.endpoint) == targetKey(t.Endpoint) {
			other.worker.resume(t.resumedAt)
		}
	}
}

// targetKey is what a target goes by: the endpoint's name, or the whole URL of one that is no more than that. Two replays to one URL, of which only one may go to private addresses,
// have a target each.
func targetKey(e Endpoint) string {
	if e.isAdHoc() {
		return e.URL + " by " + e.PrivateSetting
	}
	return e.Name
}

// target returns the target of an endpoint; nil when none can be made of it, which is logged.
func (r *Runner) target(e Endpoint) *target {
	key := targetKey(e)
	if t := r.targets[key]; t != nil && reflect.DeepEqual(t.Endpoint, e) {
		return t
	}
	t, err := newTarget(e, r.options.Own)
	if err != nil {
		r.quiet.Do(func() { r.logger.Error("nothing can be sent to an endpoint", "endpoint", e.Name, "error", err) })
		return nil
	}
	r.targets[key] = t
	return t
}
