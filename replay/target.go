package replay

import (
	"log/slog"
	"reflect"
	"sync"
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
	return &targets{own: own, logger: logger, quiet: rate.Sometimes{First: 1, Interval: time.Minute}, byKey: map[string]*target{}}
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
			t.pause(s.Why)
		case event.ActionResume:
			if s.Number > t.lastResume {
				t.lastResume, t.resumedAt = s.Number, s.At
				t.resume().log(ts.logger.With("endpoint", t.Name))
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
	breaker
	lastResume uint64    // number of the last command to resume the endpoint
	resumedAt  time.Time // by that command
}

func newTarget(e Endpoint, own *outbound.OwnAddresses) (*target, error) {
	client, err := outbound.NewClient(e.Endpoint, own)
	if err != nil {
		return nil, err
	}
	return &target{Endpoint: e, client: client, breaker: breaker{options: e.Breaker}}, nil
}

// breaker is the circuit breaker of an endpoint. After Failures failed attempts in a row it opens: it admits only one
// probe at a time, at intervals that double from ProbeAfter to ProbeMax, until a probe is delivered. Deliveries wait
// meanwhile.
//
// It also admits nothing for as long as an answer's Retry-After asks (RFC 9110, section 10.2.3), and while a person has
// paused the endpoint.
type breaker struct {
	options BreakerOptions

	mu       sync.Mutex
	paused   string // by whom and why; empty if not paused
	failures uint32 // in a row
	reason   string // of the last failure
	open     bool
	interval time.Duration
	probeAt  time.Time
	probing  bool
	holdTill time.Time
}

// blockedPoll is how soon a worker asks again: a person, or another worker's probe, may have changed the breaker.
const blockedPoll = 250 * time.Millisecond

// admission is the permission for one attempt. It must be reported or withdrawn.
type admission struct{ probe bool }

// admit permits an attempt, or returns how long to wait before asking again.
func (b *breaker) admit(now time.Time) (a admission, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.paused != "":
		return a, blockedPoll
	case now.Before(b.holdTill):
		return a, min(b.holdTill.Sub(now), blockedPoll)
	case !b.open:
		return a, 0
	case b.probing:
		return a, blockedPoll
	case now.Before(b.probeAt):
		return a, min(b.probeAt.Sub(now), blockedPoll)
	}
	b.probing = true
	return admission{probe: true}, 0
}

// change is how a breaker has changed.
type change struct {
	opened, closed bool
	failures       uint32        // in a row, until then
	probeIn        time.Duration // if it opened
}

// log writes a line about a change, in hooktape's words only: the endpoint's are in the table attempts.
func (t change) log(logger *slog.Logger) {
	switch {
	case t.opened:
		logger.Warn("the endpoint's circuit breaker opens: deliveries wait, with one attempt at a time until one succeeds",
			"failed_attempts", t.failures, "next_attempt_in", t.probeIn)
	case t.closed:
		logger.Info("the endpoint's circuit breaker closes: deliveries go on", "failed_attempts", t.failures)
	}
}

// report ends an admission with the answer to its attempt.
func (b *breaker) report(admitted admission, a outbound.Answer, now time.Time) (changed change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if admitted.probe {
		b.probing = false
	}
	if a.Outcome.OK() {
		changed = change{closed: b.open, failures: b.failures}
		b.failures, b.reason, b.open = 0, "", false
		return changed
	}
	b.failures, b.reason = b.failures+1, a.Err
	if until := now.Add(min(a.RetryAfter, maxHold)); a.RetryAfter > 0 && until.After(b.holdTill) {
		b.holdTill = until
	}
	switch {
	case b.options.Failures == 0 || b.failures < uint32(b.options.Failures):
		return change{}
	case !b.open:
		b.open, b.interval = true, b.options.ProbeAfter
		changed = change{opened: true, failures: b.failures, probeIn: b.interval}
	case admitted.probe:
		b.interval = min(2*b.interval, b.options.ProbeMax)
	default:
		return change{} // this attempt was under way when the breaker opened
	}
	b.probeAt = now.Add(b.interval)
	return changed
}

// maxHold bounds for how long one answer's Retry-After stops all deliveries. The delivery itself waits as long as the
// answer asks.
const maxHold = time.Hour

// withdraw ends an admission without an answer: the attempt was not made, or was cut off.
func (b *breaker) withdraw(admitted admission) {
	if !admitted.probe {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// pause stops all deliveries until resume; why is for people.
func (b *breaker) pause(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paused = why
}

// resume ends a pause and a Retry-After, and closes the breaker: whoever resumes an endpoint says that it works again.
// Otherwise the breaker opens after Failures failed attempts as usual.
func (b *breaker) resume() change {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := change{closed: b.open, failures: b.failures}
	b.paused = ""
	b.holdTill = time.Time{}
	b.failures, b.reason, b.open = 0, "", false
	return changed
}

// The states of an endpoint in the table endpoint_states.
const (
	stateActive  = "active"
	statePaused  = "paused"
	stateBroken  = "broken"  // the breaker is open
	stateRemoved = "removed" // from the configuration
)

// snapshot returns the endpoint's state, the reason for a pause or of the last failure, and the failed attempts in a
// row.
func (b *breaker) snapshot() (state, reason string, failures uint32, nextProbe time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.paused != "":
		return statePaused, b.paused, b.failures, time.Time{}
	case b.open:
		return stateBroken, b.reason, b.failures, b.probeAt
	}
	return stateActive, b.reason, b.failures, time.Time{}
}
