package store_test

import (
	"testing"

	"hooktape/event"
)

// TestSteering: the last command counts, though the same person has given the same one before.
func TestSteering(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	give := func(action event.Action, rate float64) {
		t.Helper()
		if err := d.AddCommand(background, event.Command{Target: "crm", Action: action, Rate: rate, By: "anna"}); err != nil {
			t.Fatal(err)
		}
	}
	wanted := func() (event.Action, float64) {
		t.Helper()
		steering, err := d.Steering(background)
		if err != nil {
			t.Fatal(err)
		}
		s := steering["crm"]
		if s.Rate == nil {
			return s.Action, -1
		}
		return s.Action, *s.Rate
	}
	for n, action := range []event.Action{event.ActionPause, event.ActionResume, event.ActionPause, event.ActionResume} {
		give(action, 0)
		if got, rate := wanted(); got != action || rate != -1 {
			t.Errorf("command %d: %s, rate %v, want %s and none", n, got, rate, action)
		}
	}
	for n, rate := range []float64{2, 3, 2, 0, 2} {
		give(event.ActionRate, rate)
		if action, got := wanted(); got != rate || action != event.ActionResume {
			t.Errorf("rate %d: %v, %s, want %v and resume", n, got, action, rate)
		}
	}
}
