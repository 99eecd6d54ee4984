package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// TestForwardStates verifies that the state of a source and an endpoint counts the failures since the last answer, on
// whichever shards the attempts are, and that requests which were not sent, deliveries and earlier attempts count
// neither as failures nor as answers.
func TestForwardStates(t *testing.T) {
	d := newDB(t)
	var attempts []event.Attempt
	add := func(source, endpoint string, second int, change func(*event.Attempt)) {
		a := event.Attempt{ID: uuid.New(), EventID: idAt(dawn, len(attempts)), Endpoint: endpoint, Number: 1,
			StartedAt: dawn.Add(time.Duration(second) * time.Second), Kind: event.AttemptForward, Source: source,
			Outcome: event.OutcomeTimeout, Fallback: event.FallbackDeadline, Error: fmt.Sprint("failure ", second)}
		if change != nil {
			change(&a)
		}
		attempts = append(attempts, a)
	}
	answer := func(a *event.Attempt) { a.Outcome, a.Fallback, a.Error = event.OutcomeStatus, "", "" }
	notSent := func(a *event.Attempt) { a.Outcome, a.Fallback = event.OutcomeNotSent, event.FallbackFailing }
	for second := range 20 {
		add("price", "crm", second-20, nil) // long ago
		add("price", "crm", second, map[int]func(*event.Attempt){3: answer, 7: answer, 19: notSent}[second])
		add("slots", "crm", second, map[int]func(*event.Attempt){18: answer, 19: notSent}[second])
		add("price", "other", second, nil)
		add("", "crm", second, func(a *event.Attempt) { a.Kind = event.AttemptDelivery })
	}
	record := func(attempts []event.Attempt) {
		t.Helper()
		if err := d.RecordOutcomes(background, "", nil, attempts); err != nil {
			t.Fatal(err)
		}
	}
	record(attempts[:30])
	record(attempts[30:])
	want := []event.ForwardState{
		{Source: "price", Endpoint: "crm", Failures: 11, FailingSince: dawn.Add(8 * time.Second), Error: "failure 18"},
		{Source: "price", Endpoint: "other", Failures: 20, FailingSince: dawn, Error: "failure 19"},
	}
	got, err := d.ForwardStates(background, dawn)
	for i := range got {
		got[i].FailingSince = got[i].FailingSince.UTC()
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("\n got %+v, %v\nwant %+v", got, err, want)
	}
}
