package replay

import (
	"log/slog"
	"reflect"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// targetKey identifies a target: the endpoint's name, or the whole URL of an ad-hoc endpoint. Two replays to one URL
// have different targets if only one of them may go to private addresses.
func targetKey(e *Endpoint) string {
	if e.isAdHoc() {
		return e.URL + " by " + e.PrivateSetting
	}
	return e.Name
}

// target returns the target of an endpoint, a new one if the endpoint has changed. It returns nil, and logs why, if the
// endpoint cannot be sent to.
func (r *Runner) target(e Endpoint) *target {
	key := targetKey(&e)
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

// keepTargets drops all targets but those of the needed keys.
func (r *Runner) keepTargets(needed map[string]bool) {
	for key, t := range r.targets {
		if !needed[key] {
			t.client.CloseIdleConnections()
			delete(r.targets, key)
		}
	}
}

// steer pauses and resumes targets as people have asked, and returns those that it has resumed.
func (r *Runner) steer(steering map[string]store.Steered) (resumed []*target) {
	for _, t := range r.targets {
		switch s := steering[t.Name]; s.Action {
		case event.ActionPause:
			t.Pause(s.Why)
		case event.ActionResume:
			if s.Number > t.lastResume {
				t.lastResume, t.resumedAt = s.Number, s.At
				logChange(r.logger.With("endpoint", t.Name), t.Resume())
				resumed = append(resumed, t)
			}
		}
	}
	return resumed
}

// target is an endpoint in use. All workers to the endpoint share its client and its breaker, those of replays too.
type target struct {
	Endpoint
	client *outbound.Client
	*outbound.Breaker
	lastResume uint64    // number of the last command to resume the endpoint
	resumedAt  time.Time // by that command
}

func newTarget(e Endpoint, own *outbound.OwnAddresses) (*target, error) {
	client, err := outbound.NewClient(e.Endpoint, own)
	if err != nil {
		return nil, err
	}
	return &target{Endpoint: e, client: client, Breaker: outbound.NewBreaker(e.Breaker)}, nil
}

// logChange writes a line about a change of a breaker, in hooktape's words only: the endpoint's are in the table
// attempts.
func logChange(logger *slog.Logger, change outbound.BreakerChange) {
	switch {
	case change.Opened:
		logger.Warn("the endpoint's circuit breaker opens: deliveries wait, with one attempt at a time until one "+
			"succeeds",
			"failed_attempts", change.Failures, "next_attempt_in", change.ProbeIn)
	case change.Closed:
		logger.Info("the endpoint's circuit breaker closes: deliveries go on", "failed_attempts", change.Failures)
	}
}

// stateRemoved is the state in the table endpoint_states of an endpoint that the configuration no longer has.
const stateRemoved = "removed"
