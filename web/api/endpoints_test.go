package api_test

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// TestForwardStates: an endpoint says which sources forward External Requests to it and, of one that it does not
// answer, since when and why. An answer ends that; requests that were not sent, or a day ago, or to another endpoint are
// no answers and no failures.
func TestForwardStates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.options.Direct.SetHost(api.Host{Forwards: func() map[string]string {
		return map[string]string{"price": "crm", "slots": "crm", "idle": "elsewhere"}
	}})
	now := time.Now().UTC().Truncate(time.Microsecond)
	failed := event.Attempt{Outcome: event.OutcomeTimeout, Fallback: event.FallbackDeadline, Error: "no answer within 8s"}
	for i, a := range []event.Attempt{
		failed,
		{Outcome: event.OutcomeStatus, StatusCode: 404}, // an answer
		{Outcome: event.OutcomeImpossible, Fallback: event.FallbackError, Error: "no request"},
		{Outcome: event.OutcomeBroken, Error: "the answer broke off"},
		{Outcome: event.OutcomeNoConn, Fallback: event.FallbackRefused, Error: "connection refused"},
		{Outcome: event.OutcomeUnknown, Error: "hooktape was stopped"},
		{Outcome: event.OutcomeNotSent, Fallback: event.FallbackFailing, Error: "circuit breaker"},
	} {
		for _, source := range []string{"price", "slots"} {
			a := a
			a.Source, a.Endpoint, a.StartedAt = source, "crm", now.Add(time.Duration(i-10)*time.Minute)
			if source == "slots" && i == 4 { // it answers this one
				a.Outcome, a.Fallback, a.Error = event.OutcomeDelivered, "", ""
			}
			f.forwarded(a)
		}
	}
	other, old := failed, failed
	other.Source, other.Endpoint, other.StartedAt = "price", "elsewhere", now
	old.Source, old.Endpoint, old.StartedAt = "idle", "elsewhere", now.Add(-25*time.Hour)
	f.forwarded(other)
	f.forwarded(old)
	list, err := f.client(readSecret).Endpoints(context.Background())
	if err != nil || len(list) != 2 {
		t.Fatalf("endpoints: %+v, %v", list, err)
	}
	price := event.ForwardState{Source: "price", Failures: 2, FailingSince: now.Add(-7 * time.Minute),
		Error: "connection refused"}
	if got := list[0].Forwards; !reflect.DeepEqual(got, []event.ForwardState{price, {Source: "slots"}}) {
		t.Errorf("crm: %+v", got)
	}
	if got := list[1].Forwards; list[1].Subscribed || !reflect.DeepEqual(got, []event.ForwardState{{Source: "idle"}}) {
		t.Errorf("an endpoint without live delivery: %+v", list[1])
	}
	for state, want := range map[event.ForwardState]string{price: "External Requests of price fail since " +
		now.Add(-7*time.Minute).Format("2006-01-02 15:04:05 UTC") + " (2 in a row): connection refused. ", {}: ""} {
		if got := state.Text(); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("text %q, want %q", got, want)
		}
	}
}

// forwarded stores an attempt to forward an External Request.
func (f *fixture) forwarded(a event.Attempt) {
	f.t.Helper()
	a.ID, a.EventID, a.Kind, a.Number = uuid.New(), uuid.New(), event.AttemptForward, 1
	if err := f.db.RecordOutcomes(context.Background(), "", nil, []event.Attempt{a}); err != nil {
		f.t.Fatal(err)
	}
}
