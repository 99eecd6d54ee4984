package store_test

import (
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestSteering verifies that the latest command counts, even if the same person gave the same command before.
func TestSteering(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	give := func(action event.Action, rate float64) {
		t.Helper()
		if err := d.AddCommand(background, event.Command{Target: "crm", Action: action, Rate: rate,
			By: "anna"}); err != nil {
			t.Fatal(err)
		}
	}
	wanted := func() (event.Action, float64) {
		t.Helper()
		steering, _, err := d.Steering(background)
		if err != nil {
			t.Fatal(err)
		}
		s := steering["crm"]
		if s.Rate == nil {
			return s.Action, -1
		}
		return s.Action, *s.Rate
	}
	for n, action := range []event.Action{event.ActionPause, event.ActionResume, event.ActionPause,
		event.ActionResume} {
		give(action, 0)
		if got, rate := wanted(); got != action || rate != -1 {
			t.Errorf("after command %d: %s, rate %v, want %s and no rate", n, got, rate, action)
		}
	}
	marks := map[store.CommandsMark]bool{}
	for n, rate := range []float64{2, 3, 2, 0, 2} {
		give(event.ActionRate, rate)
		if action, got := wanted(); got != rate || action != event.ActionResume {
			t.Errorf("after rate %d: %v, %s, want %v and resume", n, got, action, rate)
		}
		mark, err := d.CommandsMark(background)
		if _, combined, readErr := d.Steering(background); err != nil || readErr != nil || combined != mark || marks[mark] {
			t.Errorf("after rate %d: the mark is %d, of the combined commands %d; %v, %v", n, mark, combined, err, readErr)
		}
		marks[mark] = true
	}
}

// TestSteeringWithoutClocks verifies that a command overrides an earlier one that was given while the clock was hours
// ahead.
func TestSteeringWithoutClocks(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.exec(t,
		"INSERT INTO commands (at, target, action, rate) VALUES (now64(6) + INTERVAL 2 HOUR, 'crm', 'pause', 0), "+
			"(now64(6) + INTERVAL 2 HOUR, 'crm', 'set-rate', 5)")
	for _, c := range []event.Command{{Target: "crm", Action: event.ActionResume},
		{Target: "crm", Action: event.ActionRate, Rate: 7}} {
		if err := d.AddCommand(background, c); err != nil {
			t.Fatal(err)
		}
	}
	steering, _, err := d.Steering(background)
	if got := steering["crm"]; err != nil || got.Action != event.ActionResume || got.Rate == nil || *got.Rate != 7 {
		t.Errorf("%+v, %v; want resume at a rate of 7", got, err)
	}
}

// TestLeaseWithoutClocks verifies that a holder that asks after another is second, and that its renewals are visible,
// although the clock was hours ahead when the other wrote.
func TestLeaseWithoutClocks(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.exec(t,
		"INSERT INTO holders (shard, holder, since, seen_at, released) SELECT '1/1', h, now64(6) + INTERVAL 2 HOUR, "+
			"now64(6) + INTERVAL 2 HOUR, false FROM (SELECT arrayJoin(['first', 'second']) AS h)")
	marks := map[time.Time]bool{}
	for range 3 {
		if err := d.RenewLease(background, store.DeliveryLease, store.LeaseClaim{ID: "second"}); err != nil {
			t.Fatal(err)
		}
		holders, err := d.LeaseClaims(background, store.DeliveryLease)
		if err != nil || len(holders) != 2 || holders[0].ID != "first" || holders[1].ID != "second" {
			t.Fatalf("%+v, %v; want first, second", holders, err)
		}
		marks[holders[1].SeenAt] = true
	}
	if len(marks) != 3 {
		t.Errorf("the holder renewed three times, but readers saw %d different marks", len(marks))
	}
}
