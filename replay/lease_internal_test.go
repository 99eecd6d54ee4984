package replay

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestALostLeaseIsNotTakenBack: a process that stood still for longer than leaseTime queues behind the one that took over.
func TestALostLeaseIsNotTakenBack(t *testing.T) {
	now := time.Now()
	l := &lease{self: store.LeaseClaim{ID: "old"}, logger: slog.New(slog.DiscardHandler)}
	old, other := store.LeaseClaim{ID: "old", Since: now.Add(-time.Hour)}, store.LeaseClaim{ID: "other", Since: now.Add(-20 * time.Second)}
	for range 2 {
		l.apply([]store.LeaseClaim{old}, time.Now())
		l.checked = time.Now()
	}
	if !l.held() {
		t.Fatal(l.state())
	}
	l.renewed = now.Add(-30 * time.Second)
	l.checked = l.renewed
	if l.held() {
		t.Error("it sends before it has looked")
	}
	self, stoodStill := l.claim()
	if !self.Since.IsZero() || !stoodStill {
		t.Errorf("it asks as if it had been here all the time: %+v, %v", self, stoodStill)
	}
	old.Since = time.Now()
	l.apply([]store.LeaseClaim{other, old}, time.Now())
	l.checked = time.Now()
	if err := l.state(); !errors.Is(err, ErrStandby) {
		t.Errorf("then it says %v", err)
	}
}

// TestClaimIsNotSeen: a process whose claim a lagging replica does not show, whatever else that shows, delivers nothing until it
// does.
func TestClaimIsNotSeen(t *testing.T) {
	l := &lease{self: store.LeaseClaim{ID: "self"}, logger: slog.New(slog.DiscardHandler)}
	self := []store.LeaseClaim{{ID: "self", Since: time.Now()}}
	for _, claims := range [][]store.LeaseClaim{nil, {{ID: "other", Since: time.Now()}}} {
		for range 2 {
			l.decide(self, time.Now(), false, nil)
		}
		if !l.held() {
			t.Fatal(l.state())
		}
		l.decide(claims, time.Now(), false, nil)
		if err := l.state(); err != errUnsure {
			t.Errorf("%d claims of others: %v", len(claims), err)
		}
	}
}

// TestStoodStillAndClickHouseAway: a process that cannot find out what happened meanwhile sends nothing.
func TestStoodStillAndClickHouseAway(t *testing.T) {
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
			t.Errorf("after standing still for %v it sends: %v (%v)", stood, l.held(), l.state())
		}
	}
}

// TestAloneWithoutClickHouse: a process that knows of no other goes on without ClickHouse, and one that knows of others does not.
func TestAloneWithoutClickHouse(t *testing.T) {
	self, other := store.LeaseClaim{ID: "self", Since: time.Now().Add(-time.Hour)}, store.LeaseClaim{ID: "other", Since: time.Now()}
	for _, holders := range [][]store.LeaseClaim{{self}, {self, other}} {
		l := &lease{self: self, logger: slog.New(slog.DiscardHandler)}
		for range 2 {
			l.apply(holders, time.Now())
		}
		l.renewed, l.checked = time.Now().Add(-leaseFence), time.Now()
		if alone := len(holders) == 1; l.held() != alone {
			t.Errorf("of %d processes it sends: %v", len(holders), l.held())
		}
	}
}

// TestAliveMeansChanging: another process is alive while its claim changes, whatever the other's clock says.
func TestAliveMeansChanging(t *testing.T) {
	l := &lease{self: store.LeaseClaim{ID: "self"}}
	future, now := time.Now().Add(2*time.Hour), time.Now()
	for n, c := range []struct {
		after time.Duration
		mark  time.Time
		alive bool
	}{
		{0, future, true}, {leaseTime - 1, future, true}, {leaseTime, future, false},
		{leaseTime + time.Second, future.Add(-time.Hour), true}, {2 * leaseTime, future.Add(-time.Hour), true}, {2*leaseTime + time.Second, future.Add(-time.Hour), false},
	} {
		alive, dead := l.split([]store.LeaseClaim{{ID: "other", SeenAt: c.mark}, {ID: "self"}}, now.Add(c.after))
		if got := len(alive) == 2; got != c.alive || len(alive)+len(dead) != 2 {
			t.Errorf("look %d: alive %v, dead %v; want it alive: %v", n, alive, dead, c.alive)
		}
	}
}

// TestARetryIsNotDelayedByClocks: a delivery waits as long as was decided, though the clock was ahead then.
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
