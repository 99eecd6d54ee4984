package replay

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
)

// TestWaitingSentences: each reason has its code, its sentence and its action, and the more important one wins.
func TestWaitingSentences(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alive := store.LeaseClaim{ID: "a", Host: "one, process 1", SeenAt: now.Add(-time.Second)}
	silent := store.LeaseClaim{ID: "b", Host: "two, process 2", SeenAt: now.Add(-time.Minute)}
	const adHoc = "https://x.example/?key=***#12345678"
	failing := event.EndpointState{State: outbound.StateFailing, Reason: "answered 503", Answer: "busy", Failures: 10,
		FailingSince: now.Add(-time.Hour), NextProbe: now.Add(time.Minute)}
	w := &waits{now: now, claims: []store.LeaseClaim{alive},
		states: map[string]event.EndpointState{"crm": failing, adHoc: failing, "paused": failing,
			"busy": {State: outbound.StateActive, Reason: "answered 429", NextProbe: now.Add(time.Hour)},
			"free": {State: outbound.StateActive, Reason: "answered 429", NextProbe: now.Add(-time.Hour)}},
		endpoints: []Endpoint{{Endpoint: outbound.Endpoint{Name: "crm"}, Subscribe: &Subscription{}},
			{Endpoint: outbound.Endpoint{Name: "sheet"}}},
		steering: map[string]store.Steered{"paused": {Action: event.ActionPause, Why: "it moves (by anna)",
			At: now.Add(-time.Hour)}}}
	check := func(what string, got *event.Waiting, code event.WaitingCode, action string, parts ...string) {
		t.Helper()
		switch {
		case code == "":
			if got != nil {
				t.Errorf("%s waits: %+v", what, got)
			}
			return
		case got == nil || got.Code != code || got.Action != action:
			t.Errorf("%s waits for %+v, want %s and the action %q", what, got, code, action)
			return
		}
		for _, part := range parts {
			if !strings.Contains(got.Text, part) {
				t.Errorf("%s: %q lacks %q", what, got.Text, part)
			}
		}
	}
	why := []string{"since 2026-03-01 11:00:00 UTC", "10 failed attempts", "answered 503: busy",
		"next attempt is at 2026-03-01 12:01:00 UTC"}
	check("a failing endpoint", w.endpoint("crm"), event.WaitsFailing, "retry_now", why...)
	check("a failing URL", w.endpoint(adHoc), event.WaitsFailing, "retry_now", why...)
	check("a paused endpoint", w.endpoint("paused"), event.WaitsEndpoint, "resume", "at 2026-03-01 11:00:00 UTC",
		"it moves (by anna)")
	check("an active endpoint", w.endpoint("sheet"), "", "")
	check("an endpoint that asked to wait", w.endpoint("busy"), event.WaitsRetryAfter, "retry_now",
		"busy asked to wait until 2026-03-01 13:00:00 UTC (Retry-After; the last answer: answered 429)")
	check("one that asked before", w.endpoint("free"), "", "")
	check("live delivery to a removed endpoint", w.unwanted("old"), event.WaitsRemoved, "", "old is not in the conf")
	check("live delivery without a subscription", w.unwanted("sheet"), event.WaitsUnwanted, "", "sheet has no subscribe",
		"mode all")
	check("live delivery", w.unwanted("crm"), "", "")
	check("an endpoint with stranded deliveries", w.ofEndpoint(w.endpoints[1], 3, 0), event.WaitsUnwanted, "")
	check("one with those of a replay only", w.ofEndpoint(w.endpoints[1], 0, 3), "", "")

	r := event.Replay{State: event.ReplayRunning, Endpoint: "sheet", Total: 3}
	check("a running replay", w.ofReplay(r), "", "")
	r.Rate = 2.5
	check("a limited replay", w.ofReplay(r), event.WaitsForRate, "", "2.5 requests a second")
	r.Pace = 10
	check("a paced replay", w.ofReplay(r), event.WaitsForPace, "", "divided by 10")
	retries := func(o store.OpenRetries) { w.retrying = map[uuid.UUID]store.OpenRetries{r.ID: o} }
	retries(store.OpenRetries{Retrying: 2, Next: now.Add(time.Hour)})
	check("a replay of retries", w.ofReplay(r), event.WaitsForRetry, "retry_now", "all 2 open deliveries",
		"the first at 2026-03-01 13:00:00 UTC")
	retries(store.OpenRetries{Retrying: 2, Next: now.Add(-time.Second)})
	check("a replay of due retries", w.ofReplay(r), event.WaitsForPace, "")
	retries(store.OpenRetries{Retrying: 1, Next: now.Add(time.Hour), Others: 11})
	check("a replay without order", w.ofReplay(r), event.WaitsForPace, "")
	r.Order = event.OrderSubscriber
	check("a replay behind a retry", w.ofReplay(r), event.WaitsForRetry, "retry_now", "11 open deliveries wait for earlier",
		"1 of them, the first at 2026-03-01 13:00:00 UTC")
	retries(store.OpenRetries{Retrying: 1, Next: now.Add(time.Hour), Others: 11, Free: 1})
	check("a replay with other subscribers", w.ofReplay(r), event.WaitsForPace, "")
	r.Endpoint = adHoc
	check("a replay to a failing URL", w.ofReplay(r), event.WaitsFailing, "retry_now", why...)
	r.State, r.Reason = event.ReplayPaused, "lunch (by oleg)"
	check("a paused replay", w.ofReplay(r), event.WaitsReplay, "resume", "lunch (by oleg)")
	r.State = event.ReplayFailures
	check("an ended replay", w.ofReplay(r), "", "")

	one, two := uuid.New(), uuid.New()
	q := &waitingQueue{limit: rateLimit(5),
		earlier: map[string]store.Earlier{"7": {DeliveryKey: event.DeliveryKey{EventID: one}, State: event.Retrying}}}
	d := func(id uuid.UUID, state event.DeliveryState, next time.Time) *event.Delivery {
		return &event.Delivery{DeliveryKey: event.DeliveryKey{EventID: id}, State: state, Attempts: 2, NextAt: next,
			Subscriber: "7", Error: "no answer within 10s", UpdatedAt: now}
	}
	check("a retry", q.waiting(d(one, event.Retrying, now.Add(time.Hour)), now), event.WaitsForRetry, "retry_now",
		"attempt 3 follows at 2026-03-01 13:00:00 UTC", "no answer within 10s")
	check("a later event", q.waiting(d(two, event.Pending, time.Time{}), now), event.WaitsForEvent, "", one.String(),
		"retrying")
	check("the first event", q.waiting(d(one, event.Pending, time.Time{}), now), event.WaitsForRate, "", "5 requests")
	check("a request under way", q.waiting(d(two, event.Delivering, time.Time{}), now), event.WaitsInQueue, "",
		"under way")
	check("a pending one", (&waitingQueue{}).waiting(d(two, event.Pending, time.Time{}), now), event.WaitsInQueue, "")
	q.why = w.endpoint("crm")
	check("any at a failing endpoint", q.waiting(d(one, event.Retrying, now.Add(time.Hour)), now), event.WaitsFailing,
		"retry_now")

	q.why = w.endpoint("busy")
	check("a retry before the endpoint's Retry-After", q.waiting(d(one, event.Retrying, now.Add(time.Minute)), now),
		event.WaitsRetryAfter, "retry_now")
	check("a retry after it", q.waiting(d(one, event.Retrying, now.Add(24*time.Hour)), now), event.WaitsForRetry,
		"retry_now", "2026-03-02 12:00:00 UTC")
	r = event.Replay{State: event.ReplayRunning, Endpoint: "busy"}
	check("a replay at an endpoint that asked to wait", w.ofReplay(r), event.WaitsRetryAfter, "retry_now")
	retries(store.OpenRetries{Retrying: 2, Next: now.Add(24 * time.Hour)})
	check("a replay of later retries", w.ofReplay(r), event.WaitsForRetry, "retry_now", "2026-03-02 12:00:00 UTC")

	w.claims = []store.LeaseClaim{silent, alive}
	check("a silent process", w.endpoint("crm"), event.WaitsForTakeover, "", "two, process 2",
		"one, process 1 takes over")
	w.claims = []store.LeaseClaim{silent}
	check("a dead process", w.endpoint("crm"), event.WaitsForProcess, "", "was seen at 2026-03-01 11:59:00 UTC")
	w.claims = nil
	check("no process", w.endpoint("crm"), event.WaitsForProcess, "", "hooktape serve")
	check("an endpoint without deliveries", w.ofEndpoint(Endpoint{}, 0, 0), "", "")
}
