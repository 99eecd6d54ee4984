package replay

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestALostLeaseIsNotTakenBack verifies that a process that was stopped for longer than leaseTime queues behind the
// process that took over.
func TestALostLeaseIsNotTakenBack(t *testing.T) {
	now := time.Now()
	l := &lease{self: store.LeaseClaim{ID: "old"}, logger: slog.New(slog.DiscardHandler)}
	old := store.LeaseClaim{ID: "old", Since: now.Add(-time.Hour)}
	other := store.LeaseClaim{ID: "other", Since: now.Add(-20 * time.Second)}
	for range 2 {
		l.apply([]store.LeaseClaim{old}, time.Now())
		l.checked = time.Now()
	}
	if !l.held() {
		t.Fatalf("the lease is not held: %v", l.state())
	}
	l.renewed = now.Add(-30 * time.Second)
	l.checked = l.renewed
	if l.held() {
		t.Error("the process sends before it has checked its lease")
	}
	self, stoodStill := l.claim()
	if !self.Since.IsZero() || !stoodStill {
		t.Errorf("the process keeps its old claim: %+v, %v", self, stoodStill)
	}
	old.Since = time.Now()
	l.apply([]store.LeaseClaim{other, old}, time.Now())
	l.checked = time.Now()
	if err := l.state(); !errors.Is(err, ErrStandby) {
		t.Errorf("got the state %v", err)
	}
}

// TestClaimIsNotSeen verifies that a process delivers nothing while a lagging replica does not show its claim, whatever
// other claims it shows.
func TestClaimIsNotSeen(t *testing.T) {
	l := &lease{self: store.LeaseClaim{ID: "self"}, logger: slog.New(slog.DiscardHandler)}
	self := []store.LeaseClaim{{ID: "self", Since: time.Now()}}
	for _, claims := range [][]store.LeaseClaim{nil, {{ID: "other", Since: time.Now()}}} {
		for range 2 {
			l.decide(self, time.Now(), false, nil)
		}
		if !l.held() {
			t.Fatalf("the lease is not held: %v", l.state())
		}
		l.decide(claims, time.Now(), false, nil)
		if err := l.state(); err != errUnsure {
			t.Errorf("%d claims of others: %v", len(claims), err)
		}
	}
}

// TestStoppedProcessWithoutClickHouse verifies that a process that was stopped sends nothing until it can check its
// lease.
func TestStoppedProcessWithoutClickHouse(t *testing.T) {
	db, err := store.Open("http://127.0.0.1:1/hooktape")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stood := range []time.Duration{0, time.Minute} {
		l := newLease(db, "self", slog.New(slog.DiscardHandler))
		for range 2 {
			l.apply([]store.LeaseClaim{{ID: "self", Since: time.Now()}}, time.Now().Add(-stood))
		}
		l.checked = time.Now().Add(-stood)
		l.renew(t.Context())
		if goesOn := stood == 0; l.held() != goesOn {
			t.Errorf("after a stop of %v: holds the lease %v (%v)", stood, l.held(), l.state())
		}
	}
}

// TestAloneWithoutClickHouse verifies that while ClickHouse is away a process that knows no other process continues,
// and one that knows others does not.
func TestAloneWithoutClickHouse(t *testing.T) {
	self := store.LeaseClaim{ID: "self", Since: time.Now().Add(-time.Hour)}
	other := store.LeaseClaim{ID: "other", Since: time.Now()}
	for _, holders := range [][]store.LeaseClaim{{self}, {self, other}} {
		l := &lease{self: self, logger: slog.New(slog.DiscardHandler)}
		for range 2 {
			l.apply(holders, time.Now())
		}
		l.renewed, l.checked = time.Now().Add(-leaseFence), time.Now()
		if alone := len(holders) == 1; l.held() != alone {
			t.Errorf("with %d processes: holds the lease %v", len(holders), l.held())
		}
	}
}

// TestProcessIsAliveWhileClaimChanges verifies that a process counts as alive while its claim changes, whatever its
// clock says.
func TestProcessIsAliveWhileClaimChanges(t *testing.T) {
	l := &lease{self: store.LeaseClaim{ID: "self"}}
	future, now := time.Now().Add(2*time.Hour), time.Now()
	for n, c := range []struct {
		after time.Duration
		mark  time.Time
		alive bool
	}{
		{0, future, true}, {leaseTime - 1, future, true}, {leaseTime, future, false},
		{leaseTime + time.Second, future.Add(-time.Hour), true}, {2 * leaseTime, future.Add(-time.Hour), true},
		{2*leaseTime + time.Second, future.Add(-time.Hour), false},
	} {
		alive, dead := l.split([]store.LeaseClaim{{ID: "other", SeenAt: c.mark}, {ID: "self"}}, now.Add(c.after))
		if got := len(alive) == 2; got != c.alive || len(alive)+len(dead) != 2 {
			t.Errorf("check %d: alive %v, dead %v; want alive: %v", n, alive, dead, c.alive)
		}
	}
}

// TestARetryIsNotDelayedByClocks verifies that a delivery waits for its decided delay, although the clock was ahead at
// the decision.
func TestARetryIsNotDelayedByClocks(t *testing.T) {
	now := time.Now()
	retrying := func(updated, next time.Duration) event.Delivery {
		return event.Delivery{State: event.Retrying, UpdatedAt: now.Add(updated), NextAt: now.Add(next)}
	}
	for _, c := range []struct {
		name string
		d    event.Delivery
		want time.Duration
	}{
		{"clocks agree", retrying(-time.Minute, time.Minute), time.Minute},
		{"due", retrying(-time.Minute, -time.Second), -time.Second},
		{"decided two hours ahead", retrying(2*time.Hour, 2*time.Hour+5*time.Second), 5 * time.Second},
		{"decided two hours behind", retrying(-2*time.Hour, -2*time.Hour+5*time.Second), -2*time.Hour + 5*time.Second},
	} {
		if got := nextAttempt(c.d, now).Sub(now); got != c.want {
			t.Errorf("%s: due in %v, want %v", c.name, got, c.want)
		}
	}
}
