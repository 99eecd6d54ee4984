package replay

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

var (
	bad  = outbound.Answer{Outcome: event.OutcomeStatus, Status: 503, Err: "answered 503"}
	good = outbound.Answer{Outcome: event.OutcomeDelivered, Status: 200}
	noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

func mustAdmit(t *testing.T, b *breaker, now time.Time) admission {
	t.Helper()
	a, wait := b.admit(now)
	if wait != 0 {
		t.Fatalf("held back for %s", wait)
	}
	return a
}

func mustHold(t *testing.T, b *breaker, now time.Time) {
	t.Helper()
	if _, wait := b.admit(now); wait == 0 {
		t.Fatal("let through")
	}
}

func TestBreakerProbesAtGrowingIntervals(t *testing.T) {
	b := &breaker{options: BreakerOptions{Failures: 3, ProbeAfter: 10 * time.Second, ProbeMax: 35 * time.Second}}
	b.report(mustAdmit(t, b, noon), bad, noon)
	b.report(mustAdmit(t, b, noon), good, noon)
	for range 3 {
		b.report(mustAdmit(t, b, noon), bad, noon)
	}
	now := noon
	for _, interval := range []time.Duration{10 * time.Second, 20 * time.Second, 35 * time.Second, 35 * time.Second} {
		mustHold(t, b, now.Add(interval-time.Millisecond))
		now = now.Add(interval)
		probe := mustAdmit(t, b, now)
		mustHold(t, b, now.Add(time.Hour)) // one at a time
		if state, reason, _, next := b.snapshot(); state != stateBroken || reason != "answered 503" || next.After(now) {
			t.Errorf("%s, %q, next probe %s", state, reason, next)
		}
		b.report(probe, bad, now)
	}
	probe := mustAdmit(t, b, now.Add(time.Hour))
	b.report(probe, good, now)
	mustAdmit(t, b, now)
	mustAdmit(t, b, now)
	if state, reason, failures, _ := b.snapshot(); state != stateActive || reason != "" || failures != 0 {
		t.Errorf("%s, %q, %d failures", state, reason, failures)
	}
}

// TestBreakerIsLogged: one warning when it opens, one line when it closes, each with the failed attempts until then.
func TestBreakerIsLogged(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	b := &breaker{options: BreakerOptions{Failures: 3, ProbeAfter: 10 * time.Second, ProbeMax: time.Minute}}
	now := noon
	for _, a := range []outbound.Answer{bad, good, bad, bad, bad, bad, bad, good, good} {
		b.report(mustAdmit(t, b, now), a, now).log(logger)
		now = now.Add(time.Hour)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "breaker opens") || !strings.Contains(lines[0], "failed_attempts=3 next_attempt_in=10s") ||
		!strings.Contains(lines[1], "level=INFO") || !strings.Contains(lines[1], "breaker closes") || !strings.Contains(lines[1], "failed_attempts=5") {
		t.Errorf("the log says\n%s", log.String())
	}
}

func TestBreakerCountsOnlyItsOwnProbe(t *testing.T) {
	b := &breaker{options: BreakerOptions{Failures: 1, ProbeAfter: 10 * time.Second, ProbeMax: time.Minute}}
	early, late := mustAdmit(t, b, noon), mustAdmit(t, b, noon)
	b.report(early, bad, noon)
	probe := mustAdmit(t, b, noon.Add(10*time.Second))
	b.report(late, bad, noon.Add(11*time.Second)) // was under way before the breaker opened
	mustHold(t, b, noon.Add(12*time.Second))
	b.withdraw(probe)
	mustAdmit(t, b, noon.Add(12*time.Second))
}

func TestBreakerIsOffWithoutFailures(t *testing.T) {
	b := &breaker{}
	for range 100 {
		b.report(mustAdmit(t, b, noon), bad, noon)
	}
}

func TestRetryAfterHoldsBackEverything(t *testing.T) {
	b := &breaker{}
	busy := outbound.Answer{Outcome: event.OutcomeStatus, Status: 429, RetryAfter: time.Minute}
	b.report(mustAdmit(t, b, noon), busy, noon)
	mustHold(t, b, noon.Add(59*time.Second))
	mustAdmit(t, b, noon.Add(time.Minute))
	busy.RetryAfter = 24 * time.Hour
	b.report(mustAdmit(t, b, noon.Add(time.Minute)), busy, noon)
	mustAdmit(t, b, noon.Add(maxHold))
}

func TestPauseAndResume(t *testing.T) {
	b := &breaker{options: BreakerOptions{Failures: 1, ProbeAfter: time.Hour, ProbeMax: time.Hour}}
	b.report(mustAdmit(t, b, noon), bad, noon)
	mustHold(t, b, noon)
	if changed := b.resume(); !changed.closed || changed.failures != 1 { // not paused, but open: it closes, and opens when that was wrong
		t.Errorf("the log is told %+v", changed)
	}
	if state, reason, failures, _ := b.snapshot(); state != stateActive || reason != "" || failures != 0 {
		t.Errorf("resumed: %s, %q, %d failures", state, reason, failures)
	}
	b.report(mustAdmit(t, b, noon), bad, noon)
	mustHold(t, b, noon)
	b.pause("by anna")
	mustHold(t, b, noon.Add(2*time.Hour))
	if state, reason, _, _ := b.snapshot(); state != statePaused || reason != "by anna" {
		t.Errorf("%s, %q", state, reason)
	}
	b.resume()
	b.report(mustAdmit(t, b, noon), bad, noon)
	mustHold(t, b, noon)
}

func TestPacerKeepsTheTimeBetweenEvents(t *testing.T) {
	p := pacer{factor: 10}
	received := noon.Add(-time.Hour)
	if due := p.due(received, noon); !due.Equal(noon) {
		t.Errorf("the first is due at %s", due)
	}
	if due := p.due(received.Add(time.Minute), noon.Add(time.Second)); !due.Equal(noon.Add(6 * time.Second)) {
		t.Errorf("a minute later is due at %s", due)
	}
	if due := (&pacer{}).due(received, noon); !due.Equal(noon) {
		t.Errorf("without a pace it is due at %s", due)
	}
}
