package outbound

import (
	"sync"
	"time"

	"hooktape/internal/event"
)

// BreakerOptions say when an endpoint counts as failing, and how often it is probed then.
type BreakerOptions struct {
	Failures   int           `yaml:"failures"`    // failed attempts in a row; 0 never
	ProbeAfter time.Duration `yaml:"probe_after"` // until the first probe
	ProbeMax   time.Duration `yaml:"probe_max"`   // the wait doubles up to this
}

// Breaker is the circuit breaker of an endpoint. After Failures failed attempts in a row it opens: it admits only one
// probe at a time, at intervals that double from ProbeAfter to ProbeMax, until a probe is delivered. Its
// callers wait, or do without the endpoint, meanwhile.
//
// It also admits nothing for as long as an answer's Retry-After asks (RFC 9110, section 10.2.3), and while a person has
// paused the endpoint.
type Breaker struct {
	options BreakerOptions

	mu       sync.Mutex
	paused   string    // by whom and why; empty if not paused
	failures uint32    // in a row
	reason   string    // of the last failure
	answer   string    // the first line of its answer
	since    time.Time // when the first of the failures was
	open     bool
	interval time.Duration
	probeAt  time.Time
	probing  bool
	holdTill time.Time
}

// NewBreaker returns a closed breaker.
func NewBreaker(o BreakerOptions) *Breaker { return &Breaker{options: o} }

// blockedPoll is how soon a caller asks again: a person, or another worker's probe, may have changed the breaker.
const blockedPoll = 250 * time.Millisecond

// Admission is the permission for one attempt. It must be reported or withdrawn.
type Admission struct{ probe bool }

// Admit permits an attempt, or returns how long to wait before asking again.
func (b *Breaker) Admit(now time.Time) (a Admission, wait time.Duration) {
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
	return Admission{probe: true}, 0
}

// BreakerChange is how a breaker has changed.
type BreakerChange struct {
	Opened, Closed bool
	Failures       uint32        // in a row, until then
	ProbeIn        time.Duration // if it opened
}

// Report ends an admission with the answer to its attempt.
func (b *Breaker) Report(admitted Admission, a Answer, now time.Time) (changed BreakerChange) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if admitted.probe {
		b.probing = false
	}
	if a.Outcome.OK() {
		changed = BreakerChange{Closed: b.open, Failures: b.failures}
		b.recover()
		return changed
	}
	if b.failures++; b.failures == 1 {
		b.since = now
	}
	b.reason, b.answer = a.Err, event.FirstLine(a.Body)
	if until := now.Add(min(a.RetryAfter, maxHold)); a.RetryAfter > 0 && until.After(b.holdTill) {
		b.holdTill = until
	}
	switch {
	case b.options.Failures == 0 || b.failures < uint32(b.options.Failures):
		return BreakerChange{}
	case !b.open:
		b.open, b.interval = true, b.options.ProbeAfter
		changed = BreakerChange{Opened: true, Failures: b.failures, ProbeIn: b.interval}
	case admitted.probe:
		b.interval = min(2*b.interval, b.options.ProbeMax)
	default:
		return BreakerChange{} // this attempt was under way when the breaker opened
	}
	b.probeAt = now.Add(b.interval)
	return changed
}

// maxHold bounds for how long one answer's Retry-After stops all deliveries. The delivery itself waits as long as the
// answer asks.
const maxHold = time.Hour

// Withdraw ends an admission without an answer: the attempt was not made, or was cut off.
func (b *Breaker) Withdraw(admitted Admission) {
	if !admitted.probe {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// Pause stops all deliveries until resume; why is for people.
func (b *Breaker) Pause(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paused = why
}

// Resume ends a pause and a Retry-After, and closes the breaker: whoever resumes an endpoint says that it works again.
// Otherwise the breaker opens after Failures failed attempts as usual.
func (b *Breaker) Resume() BreakerChange {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := BreakerChange{Closed: b.open, Failures: b.failures}
	b.paused = ""
	b.holdTill = time.Time{}
	b.recover()
	return changed
}

// recover closes the breaker and forgets the failures. The caller has the lock.
func (b *Breaker) recover() {
	b.failures, b.reason, b.answer, b.since, b.open = 0, "", "", time.Time{}, false
}

// ProbeNow lets one attempt be made now: it ends a Retry-After and the wait for the next probe, but no pause.
func (b *Breaker) ProbeNow(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.holdTill = time.Time{}
	if b.open {
		b.probeAt = now
	}
}

// The states of a breaker, as the table endpoint_states has them.
const (
	StateActive  = "active"
	StatePaused  = "paused"
	StateFailing = "failing" // open
)

// Snapshot returns the endpoint's state, with the reason for a pause or of the last failure, and the time before which
// nothing is admitted: of the next probe, or as an answer's Retry-After asks.
func (b *Breaker) Snapshot(now time.Time) (s event.EndpointState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s = event.EndpointState{State: StateActive, Reason: b.reason, Failures: b.failures, FailingSince: b.since,
		Answer: b.answer}
	switch {
	case b.paused != "":
		s.State, s.Reason = StatePaused, b.paused
	case b.open:
		s.State, s.NextProbe = StateFailing, b.probeAt
	}
	if b.holdTill.After(now) && b.holdTill.After(s.NextProbe) {
		s.NextProbe = b.holdTill
	}
	return s
}
