package replay

import (
	"log/slog"
	"sync"
	"time"

	"hooktape/internal/outbound"
)

// breaker keeps an endpoint that does not work from being called on and on. After Failures failed attempts in a row it
// opens: nothing is sent but one probe at a time, at intervals that double from ProbeAfter to ProbeMax, until one is
// delivered. Nothing is lost meanwhile, for what is not sent waits.
//
// Beside that it holds everything back for as long as an answer's Retry-After asks (RFC 9110, section 10.2.3), and
// while a person has paused the endpoint. It is shared by all workers to the endpoint.
type breaker struct {
	options BreakerOptions

	mu       sync.Mutex
	paused   string // by whom and why; empty when not
	failures uint32 // in a row
	reason   string // of the last failure
	open     bool
	interval time.Duration
	probeAt  time.Time
	probing  bool
	holdTill time.Time
}

// blockedPoll is how soon a worker that is held back asks again: a person, or another worker's probe, may have changed it.
const blockedPoll = 250 * time.Millisecond

// admission is an attempt that was let through. It must be reported or withdrawn.
type admission struct{ probe bool }

// admit lets an attempt through, or says how long to wait before asking again.
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

// turn is what an answer has changed about a breaker.
type turn struct {
	opened, closed bool
	failures       uint32        // in a row, until then
	probeIn        time.Duration // of one that has opened
}

// log tells of a turn, in words of ours: the endpoint's stand with its attempts.
func (t turn) log(logger *slog.Logger) {
	switch {
	case t.opened:
		logger.Warn("the endpoint's circuit breaker opens: deliveries wait, and one attempt at a time is made until it works", "failed_attempts", t.failures, "next_attempt_in", t.probeIn)
	case t.closed:
		logger.Info("the endpoint's circuit breaker closes: deliveries go on", "failed_attempts", t.failures)
	}
}

// report takes the answer to an attempt that was let through, and returns what that changes.
func (b *breaker) report(admitted admission, a outbound.Answer, now time.Time) (changed turn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if admitted.probe {
		b.probing = false
	}
	if a.Outcome.OK() {
		changed = turn{closed: b.open, failures: b.failures}
		b.failures, b.reason, b.open = 0, "", false
		return changed
	}
	b.failures, b.reason = b.failures+1, a.Err
	if until := now.Add(min(a.RetryAfter, maxHold)); a.RetryAfter > 0 && until.After(b.holdTill) {
		b.holdTill = until
	}
	switch {
	case b.options.Failures == 0 || b.failures < uint32(b.options.Failures):
		return turn{}
	case !b.open:
		b.open, b.interval = true, b.options.ProbeAfter
		changed = turn{opened: true, failures: b.failures, probeIn: b.interval}
	case admitted.probe:
		b.interval = min(2*b.interval, b.options.ProbeMax)
	default:
		return turn{} // one that was under way when the breaker opened
	}
	b.probeAt = now.Add(b.interval)
	return changed
}

// maxHold bounds how long one answer may hold back everything; the event that was answered so waits as long as it says.
const maxHold = time.Hour

// withdraw takes back an attempt that was let through and not made, or whose answer nobody waited for.
func (b *breaker) withdraw(admitted admission) {
	if !admitted.probe {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
}

// pause holds everything back until resume; why is for people to read.
func (b *breaker) pause(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paused = why
}

// resume ends a pause and a Retry-After, and closes the breaker: the person who resumes an endpoint says that it works again. If it
// does not, the breaker opens after Failures failed attempts, as ever.
func (b *breaker) resume() turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	changed := turn{closed: b.open, failures: b.failures}
	b.paused = ""
	b.holdTill = time.Time{}
	b.failures, b.reason, b.open = 0, "", false
	return changed
}

// Breaker states, as the table endpoint_states has them.
const (
	stateActive  = "active"
	statePaused  = "paused"
	stateBroken  = "broken"
	stateRemoved = "removed"
)

// snapshot tells where the breaker stands.
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
