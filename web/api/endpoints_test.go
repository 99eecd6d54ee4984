package api_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// TestForwardStates: an endpoint says which sources forward External Requests to it and, of one that it does not
// answer, since when, why, and when the next request tries it. An answer ends that; requests that were not sent are no
// answers and no failures.
func TestForwardStates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.options.Direct.SetHost(api.Host{Forwards: func() map[string]string {
		return map[string]string{"price": "crm", "slots": "crm", "idle": "elsewhere"}
	}})
	until := time.Now().Add(7 * time.Second).UTC().Truncate(time.Millisecond)
	var began []time.Time
	for i, a := range []event.Attempt{
		{Outcome: event.OutcomeTimeout, Fallback: event.FallbackDeadline, Error: "long ago"},
		{Outcome: event.OutcomeStatus, StatusCode: 404}, // an answer
		{Outcome: event.OutcomeImpossible, Fallback: event.FallbackError, Error: "no request"},
		{Outcome: event.OutcomeTimeout, Fallback: event.FallbackDeadline, Error: "no answer within 8s"},
		{Outcome: event.OutcomeNoConn, Fallback: event.FallbackRefused, Error: "connection refused"},
		{Outcome: event.OutcomeNotSent, Fallback: event.FallbackInFlight, Error: "too many"},
		{Outcome: event.OutcomeNotSent, Fallback: event.FallbackFailing, Error: event.BreakerOpen(until) + "; the bot left"},
	} {
		for _, source := range []string{"price", "slots"} {
			e := newEvent(source, i)
			f.insert(e)
			a := a
			a.ID, a.EventID, a.Endpoint, a.Kind, a.Number = uuid.New(), e.ID, "crm", event.AttemptForward, 1
			if a.StartedAt = e.ReceivedAt; source == "slots" && i == 4 { // it answers this one
				a.Outcome, a.Fallback, a.Error = event.OutcomeDelivered, "", ""
			}
			if source == "price" {
				began = append(began, a.StartedAt)
			}
			if err := f.db.RecordOutcomes(context.Background(), "", nil, []event.Attempt{a}); err != nil {
				t.Fatal(err)
			}
		}
	}
	list, err := f.client(readSecret).Endpoints(context.Background())
	if err != nil || len(list) != 2 || len(list[0].Forwards) != 2 || len(list[1].Forwards) != 1 {
		t.Fatalf("endpoints: %+v, %v", list, err)
	}
	price, slots := list[0].Forwards[0], list[0].Forwards[1]
	if price.Source != "price" || price.Requests != 7 || price.Failures != 2 || !price.FailingSince.Equal(began[3]) ||
		price.Error != "connection refused" || !price.NextProbe.Equal(until) ||
		!price.LastAt.Equal(began[6]) {
		t.Errorf("price: %+v", price)
	}
	for _, text := range []string{"External Requests of price fail since ", "(2 in a row): connection refused. Bots get the fallback",
		until.Format("15:04:05 UTC")} {
		if !strings.Contains(price.Text(), text) {
			t.Errorf("price: %q, want %q", price.Text(), text)
		}
	}
	if slots.Source != "slots" || slots.Requests != 7 || slots.Failures != 0 || !slots.FailingSince.IsZero() ||
		slots.Error != "" || !slots.NextProbe.IsZero() || slots.Text() != "" {
		t.Errorf("slots: %+v", slots)
	}
	if idle := list[1].Forwards[0]; idle.Source != "idle" || idle.Requests != 0 || !idle.LastAt.IsZero() {
		t.Errorf("idle: %+v", idle)
	}
	if !slices.ContainsFunc(list, func(e api.Endpoint) bool { return e.Name == "elsewhere" && !e.Subscribed }) {
		t.Error("an endpoint without live delivery is not listed")
	}
}
