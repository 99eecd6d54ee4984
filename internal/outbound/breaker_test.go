package outbound

import (
	"testing"
	"time"

	"hooktape/internal/event"
)

var (
	bad  = Answer{Outcome: event.OutcomeStatus, Status: 503, Err: "answered 503"}
	good = Answer{Outcome: event.OutcomeDelivered, Status: 200}
	noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

func mustAdmit(t *testing.T, b *Breaker, now time.Time) Admission {
	t.Helper()
	a, wait := b.Admit(now)
	if wait != 0 {
		t.Fatalf("held back for %s", wait)
	}
	return a
}

func mustHold(t *testing.T, b *Breaker, now time.Time) {
	t.Helper()
	if _, wait := b.Admit(now); wait == 0 {
		t.Fatal("let through")
	}
}

func TestBreakerProbesAtGrowingIntervals(t *testing.T) {
	b := &Breaker{options: BreakerOptions{Failures: 3, ProbeAfter: 10 * time.Second, ProbeMax: 35 * time.Second}}
	b.Report(mustAdmit(t, b, noon), bad, noon)
	b.Report(mustAdmit(t, b, noon), good, noon)
	for range 3 {
		b.Report(mustAdmit(t, b, noon), bad, noon)
	}
	now := noon
	for _, interval := range []time.Duration{10 * time.Second, 20 * time.Second, 35 * time.Second, 35 * time.Second} {
		mustHold(t, b, now.Add(interval-time.Millisecond))
		now = now.Add(interval)
		probe := mustAdmit(t, b, now)
		mustHold(t, b, now.Add(time.Hour)) // one probe at a time
		if s := b.Snapshot(noon); s.State != StateFailing || s.Reason != "answered 503" || s.NextProbe.After(now) {
			t.Errorf("%+v", s)
		}
		b.Report(probe, bad, now)
	}
	probe := mustAdmit(t, b, now.Add(time.Hour))
	b.Report(probe, good, now)
	mustAdmit(t, b, now)
	mustAdmit(t, b, now)
	if s := b.Snapshot(noon); s.State != StateActive || s.Reason != "" || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
}

func TestBreakerCountsOnlyItsOwnProbe(t *testing.T) {
	b := &Breaker{options: BreakerOptions{Failures: 1, ProbeAfter: 10 * time.Second, ProbeMax: time.Minute}}
	early, late := mustAdmit(t, b, noon), mustAdmit(t, b, noon)
	b.Report(early, bad, noon)
	probe := mustAdmit(t, b, noon.Add(10*time.Second))
	b.Report(late, bad, noon.Add(11*time.Second)) // sent before the breaker opened
	mustHold(t, b, noon.Add(12*time.Second))
	b.Withdraw(probe)
	mustAdmit(t, b, noon.Add(12*time.Second))
}

func TestBreakerIsOffWithoutFailures(t *testing.T) {
	b := &Breaker{}
	for range 100 {
		b.Report(mustAdmit(t, b, noon), bad, noon)
	}
}

func TestRetryAfterHoldsBackEverything(t *testing.T) {
	b := &Breaker{}
	busy := Answer{Outcome: event.OutcomeStatus, Status: 429, RetryAfter: time.Minute}
	b.Report(mustAdmit(t, b, noon), busy, noon)
	mustHold(t, b, noon.Add(59*time.Second))
	if s := b.Snapshot(noon); s.State != StateActive || !s.NextProbe.Equal(noon.Add(time.Minute)) {
		t.Errorf("while an answer asks to wait: %+v", s)
	}
	mustAdmit(t, b, noon.Add(time.Minute))
	if s := b.Snapshot(noon.Add(time.Minute)); !s.NextProbe.IsZero() {
		t.Errorf("afterwards: %+v", s)
	}
	busy.RetryAfter = 24 * time.Hour
	b.Report(mustAdmit(t, b, noon.Add(time.Minute)), busy, noon)
	mustAdmit(t, b, noon.Add(maxHold))
}

// TestLaterRetryAfter verifies that an open breaker announces its next probe no earlier than it admits one.
func TestLaterRetryAfter(t *testing.T) {
	b := NewBreaker(BreakerOptions{Failures: 1, ProbeAfter: 10 * time.Second, ProbeMax: time.Minute})
	b.Report(mustAdmit(t, b, noon), Answer{Outcome: event.OutcomeStatus, Status: 503, RetryAfter: time.Minute}, noon)
	mustHold(t, b, noon.Add(59*time.Second))
	if s := b.Snapshot(noon); s.State != StateFailing || !s.NextProbe.Equal(noon.Add(time.Minute)) {
		t.Errorf("%+v", s)
	}
}

func TestPauseAndResume(t *testing.T) {
	b := &Breaker{options: BreakerOptions{Failures: 1, ProbeAfter: time.Hour, ProbeMax: time.Hour}}
	b.Report(mustAdmit(t, b, noon), bad, noon)
	mustHold(t, b, noon)
	// open, not paused: it closes, and opens again if that was wrong
	if changed := b.Resume(); !changed.Closed || changed.Failures != 1 {
		t.Errorf("Resume returned %+v", changed)
	}
	if s := b.Snapshot(noon); s.State != StateActive || s.Reason != "" || s.Failures != 0 {
		t.Errorf("resumed: %+v", s)
	}
	b.Report(mustAdmit(t, b, noon), bad, noon)
	mustHold(t, b, noon)
	b.Pause("by anna")
	mustHold(t, b, noon.Add(2*time.Hour))
	if s := b.Snapshot(noon); s.State != StatePaused || s.Reason != "by anna" {
		t.Errorf("%+v", s)
	}
	b.Resume()
	b.Report(mustAdmit(t, b, noon), bad, noon)
	mustHold(t, b, noon)
}
