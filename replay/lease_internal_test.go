package replay

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"hooktape/store"
)

// TestALostLeaseIsNotTakenBack: a process that stood still for longer than leaseTime queues behind the one that took over.
func TestALostLeaseIsNotTakenBack(t *testing.T) {
	now := time.Now()
	l := &lease{shard: "1/1", self: store.Holder{ID: "old"}, logger: slog.New(slog.DiscardHandler)}
	old, other := store.Holder{ID: "old", Since: now.Add(-time.Hour)}, store.Holder{ID: "other", Since: now.Add(-20 * time.Second)}
	for range 2 {
		l.decide([]store.Holder{old}, time.Now())
		l.beat = time.Now()
	}
	if !l.held() {
		t.Fatal(l.state())
	}
	l.renewed = now.Add(-30 * time.Second)
	l.beat = l.renewed
	if l.held() {
		t.Error("it sends before it has looked")
	}
	self, stood := l.asking()
	if !self.Since.IsZero() || !stood {
		t.Errorf("it asks as if it had been here all the time: %+v, %v", self, stood)
	}
	old.Since = time.Now()
	l.decide([]store.Holder{other, old}, time.Now())
	l.beat = time.Now()
	if err := l.state(); !errors.Is(err, ErrStandby) {
		t.Errorf("then it says %v", err)
	}
}

// TestStoodStillAndClickHouseAway: who cannot find out what happened meanwhile sends nothing.
func TestStoodStillAndClickHouseAway(t *testing.T) {
	db, err := store.Open("http://127.0.0.1:1/hooktape")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stood := range []time.Duration{0, time.Minute} {
		l := newLease(db, "1/1", "self", slog.New(slog.DiscardHandler))
		for range 2 {
			l.decide([]store.Holder{{ID: "self", Since: time.Now()}}, time.Now().Add(-stood))
		}
		l.beat = time.Now().Add(-stood)
		l.keep(t.Context())
		if goesOn := stood == 0; l.held() != goesOn {
			t.Errorf("after standing still for %v it sends: %v (%v)", stood, l.held(), l.state())
		}
	}
}

// TestAHolderAloneGoesOnWithoutClickHouse, and one that knows of others does not.
func TestAHolderAloneGoesOnWithoutClickHouse(t *testing.T) {
	self, other := store.Holder{ID: "self", Since: time.Now().Add(-time.Hour)}, store.Holder{ID: "other", Since: time.Now()}
	for _, holders := range [][]store.Holder{{self}, {self, other}} {
		l := &lease{shard: "1/1", self: self, logger: slog.New(slog.DiscardHandler)}
		for range 2 {
			l.decide(holders, time.Now())
		}
		l.renewed, l.beat = time.Now().Add(-leaseFence), time.Now()
		if alone := len(holders) == 1; l.held() != alone {
			t.Errorf("of %d holders it sends: %v", len(holders), l.held())
		}
	}
}
