package replay

import (
	"log/slog"
	"reflect"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// targets are the endpoints in use, by [targetKey].
type targets struct {
	own    *outbound.OwnAddresses
	logger *slog.Logger
	quiet  rate.Sometimes // faults of the configuration last until it changes
	byKey  map[string]*target
}

func newTargets(own *outbound.OwnAddresses, logger *slog.Logger) *targets {
	return &targets{own: own, logger: logger, quiet: rate.Sometimes{First: 1, Interval: time.Minute},
		byKey: map[string]*target{}}
}

// targetKey identifies a target: the endpoint's name, or the whole URL of an ad-hoc endpoint. Two replays to one URL
// have different targets if only one of them may go to private addresses.
func targetKey(e *Endpoint) string {
	if e.isAdHoc() {
		return e.URL + " by " + e.PrivateSetting
	}
	return e.Name
}

// get returns the target of an endpoint, a new one if the endpoint has changed. It returns nil, and logs why, if the
// endpoint cannot be sent to.
func (ts *targets) get(e Endpoint) *target {
	key := targetKey(&e)
	if t := ts.byKey[key]; t != nil && reflect.DeepEqual(t.Endpoint, e) {
		return t
	}
	t, err := newTarget(e, ts.own)
	if err != nil {
		ts.quiet.Do(func() { ts.logger.Error("nothing can be sent to an endpoint", "endpoint", e.Name, "error", err) })
		return nil
	}
	ts.byKey[key] = t
	return t
}

// keep drops all targets but those of the needed keys.
func (ts *targets) keep(needed map[string]bool) {
	for key, t := range ts.byKey {
		if !needed[key] {
			t.client.CloseIdleConnections()
			delete(ts.byKey, key)
		}
	}
}

// steer pauses and resumes targets as people have asked, and returns those that it has resumed.
func (ts *targets) steer(steering map[string]store.Steered) (resumed []*target) {
	for _, t := range ts.byKey {
		switch s := steering[t.Name]; s.Action {
		case event.ActionPause:
			t.Pause(s.Why)
		case event.ActionResume:
			if s.Number > t.lastResume {
				t.lastResume, t.resumedAt = s.Number, s.At
				logChange(ts.logger.With("endpoint", t.Name), t.Resume())
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
