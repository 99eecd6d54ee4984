package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/replay"
	"hooktape/web/api"
)

// TestDeliveries verifies the lists of a replay's deliveries and failures, with every filter.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hooktape-Event-Id") == "" {
			t.Error("got a request without the event's id")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("\n  busy: 17 of 20 \x1b[31m\nmore\n"))
	})
	f.insert(newEvents("shop", 5)...)
	r := f.awaitEnd(f.create("shop", nil).ID)

	var page api.DeliveryPage
	f.get(readSecret, "/api/v1/replays/"+r.ID.String()+"/deliveries?state=failed&limit=2", &page)
	if len(page.Deliveries) != 2 || page.Next == "" {
		t.Fatalf("first page: %+v", page)
	}
	seen := map[string]bool{}
	for cursor := ""; ; cursor = page.Next {
		page = api.DeliveryPage{}
		f.get(readSecret, "/api/v1/deliveries?limit=2&replay="+r.ID.String()+"&cursor="+cursor, &page)
		for _, d := range page.Deliveries {
			seen[d.ID] = true
			if d.State != event.Failed || d.AttemptCount != 2 || d.Answer != "busy: 17 of 20 \x1b[31m" ||
				d.Outcome != event.OutcomeStatus || d.StatusCode != 503 ||
				d.FirstAttemptAt.IsZero() || !d.LastAttemptAt.After(d.FirstAttemptAt) || d.ReplayID != r.ID ||
				d.Endpoint != "crm" || d.Attempts != nil {
				t.Errorf("got the delivery %+v", d)
			}
		}
		if page.Next == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d deliveries on the pages, want 5", len(seen))
	}
	var one api.Delivery
	for id := range seen {
		f.get(readSecret, "/api/v1/deliveries/"+id, &one)
		if len(one.Attempts) != 2 || one.ID != id {
			t.Errorf("got the delivery %+v", one)
		}
	}
	var groups api.FailureGroupList
	f.get(readSecret, "/api/v1/deliveries/groups?replay="+r.ID.String(), &groups)
	if len(groups.Groups) != 1 || groups.Groups[0].Count != 5 || groups.Groups[0].Subscribers != 5 ||
		groups.Groups[0].Line != "busy: # of # \x1b[#m" {
		t.Fatalf("got the groups %+v", groups)
	}
	f.get(readSecret, "/api/v1/deliveries?group="+groups.Groups[0].Key, &page)
	if len(page.Deliveries) != 5 {
		t.Errorf("the group has %d deliveries", len(page.Deliveries))
	}
	for path, status := range map[string]int{
		"/api/v1/deliveries?stat=failed":                                    http.StatusUnprocessableEntity,
		"/api/v1/deliveries?state=done":                                     http.StatusUnprocessableEntity,
		"/api/v1/deliveries?endpoint=nowhere":                               http.StatusUnprocessableEntity,
		"/api/v1/deliveries?status_code=6xx":                                http.StatusUnprocessableEntity,
		"/api/v1/deliveries?replay=x":                                       http.StatusUnprocessableEntity,
		"/api/v1/deliveries?group=" + url.QueryEscape("' OR 1 = 1"):         http.StatusUnprocessableEntity,
		"/api/v1/deliveries?cursor=x":                                       http.StatusUnprocessableEntity,
		"/api/v1/deliveries?first_attempt_from=yesterday":                   http.StatusUnprocessableEntity,
		"/api/v1/deliveries/x":                                              http.StatusUnprocessableEntity,
		"/api/v1/deliveries/" + uuid.NewString() + "-00000000":              http.StatusNotFound,
		"/api/v1/replays/" + uuid.NewString() + "/deliveries":               http.StatusNotFound,
		"/api/v1/replays/" + r.ID.String() + "/deliveries?replay=live":      http.StatusUnprocessableEntity,
		"/api/v1/deliveries?subscriber=" + url.QueryEscape("'; DROP TABLE"): http.StatusOK,
	} {
		if a := f.ask(readSecret, "GET", path, nil); a.status != status {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, status)
		}
	}
	for format, want := range map[string]string{"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"} {
		lines := 0
		for path := "/api/v1/replays/" + r.ID.String() + "/deliveries?limit=2&format=" + format; path != ""; {
			a := f.ask(readSecret, "GET", path, nil)
			if a.status != http.StatusOK || a.header.Get("Content-Type") != want {
				t.Fatalf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
			}
			lines += strings.Count(string(a.body), "busy: 17 of 20")
			path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
		}
		if lines != 5 {
			t.Errorf("%s has %d deliveries, want 5", format, lines)
		}
	}
	if columns := api.DeliveryColumns().Names(); !slices.Contains(columns, "answer") {
		t.Errorf("got the columns %v", columns)
	}
}

// TestRetryDeliveries: open deliveries are tried now, failed ones are sent by a replay that names its parent, and
// nothing is sent twice.
func TestRetryDeliveries(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var works atomic.Bool
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) {
		if !works.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	f.insert(newEvents("shop", 4)...)
	first := f.awaitEnd(f.create("shop", func(r *replay.Request) {
		r.Rate, r.Order, r.Headers = 100, event.OrderSubscriber, []event.Header{{Name: "X-Key", Value: "kept"}}
	}).ID)
	if first.State != event.ReplayFailures || first.Waiting != nil {
		t.Errorf("a replay with failures ends as %s: %+v", first.State, first.Waiting)
	}
	retry := func(secret, key string, body any) (result api.Retried, a answer) {
		a = f.ask(secret, "POST", "/api/v1/deliveries/retry", body, "Idempotency-Key", key)
		_ = json.Unmarshal(a.body, &result)
		return result, a
	}
	of := map[string]any{"replays": []string{first.ID.String()}}
	if result, a := retry(replaySecret, "", map[string]any{"selection": of, "dry_run": true}); result.Sent != 4 ||
		result.Failed != 4 || len(result.Replays) != 1 ||
		result.Replays[0].ID != uuid.Nil || result.Replays[0].Parent != first.ID {
		t.Errorf("the plan is %+v, %s", result, a.body)
	}
	if _, a := retry(replaySecret, "",
		map[string]any{"selection": map[string]any{}}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("everything at once: %d %s", a.status, a.body)
	}
	works.Store(true)
	sent := len(f.receiver.requests())
	result, a := retry(replaySecret, "monday", map[string]any{"selection": of})
	if a.status != http.StatusOK || result.Sent != 4 || len(result.Replays) != 1 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	child := f.awaitEnd(result.Replays[0].ID)
	if child.Parent != first.ID || child.State != event.ReplayCompleted || child.Rate != 100 ||
		child.Order != event.OrderSubscriber {
		t.Errorf("the new replay is %+v", child)
	}
	requests := f.receiver.requests()[sent:]
	if len(requests) != 4 || requests[0].Header.Get("X-Key") != "kept" {
		t.Errorf("%d requests, %v", len(requests), requests[0].Header)
	}
	again, _ := retry(replaySecret, "monday", map[string]any{"selection": of})
	if again.Sent != 4 || len(again.Replays) != 1 || again.Replays[0].ID != child.ID {
		t.Errorf("a second click sends %+v, not the replay of the first", again)
	}
	if again, _ := retry(replaySecret, "", map[string]any{"selection": of}); again.Sent != 0 ||
		again.Failed != 4 || len(again.Replays) != 0 {
		t.Errorf("what was sent again since is sent once more: %+v", again)
	}
	if n := len(f.receiver.requests()) - sent; n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
	if again, _ := retry(replaySecret, "",
		map[string]any{"selection": map[string]any{"replays": []string{child.ID.String()}}}); again.Delivered != 4 ||
		again.Sent != 0 {
		t.Errorf("delivered ones are sent again: %+v", again)
	}
	var log api.AuditPage
	f.get(adminSecret, "/api/v1/audit-log", &log)
	if !slices.ContainsFunc(log.Entries, func(e api.AuditEntry) bool {
		return e.Action == "deliveries.retry" && e.Who == "replayer" && strings.Contains(e.Target, first.ID.String())
	}) {
		t.Errorf("the audit log is %+v", log.Entries)
	}
}

// TestRefusedRetry: what cannot be sent to one endpoint is refused with the reason, and what can be sent to another is
// sent. Live deliveries to endpoints that no longer get them say so.
func TestRefusedRetry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	events := newEvents("shop", 4)
	f.insert(events...)
	one := func(n int, endpoint string, state event.DeliveryState) event.Delivery {
		return event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: endpoint, EventID: events[n].ID},
			EventReceivedAt: events[n].ReceivedAt, State: state, Attempts: 1, UpdatedAt: time.Now().UTC(),
			Subscriber: fmt.Sprint(n)}
	}
	if err := f.db.RecordOutcomes(context.Background(), "", []event.Delivery{one(0, "crm", event.Failed),
		one(1, "crm", event.Pending), one(2, "old", event.Failed), one(3, "old", event.Retrying),
		one(2, "crm", event.Cancelled)}, nil); err != nil {
		t.Fatal(err)
	}
	// The same event failed in a replay, too.
	r := event.Replay{ID: uuid.New(), CreatedAt: time.Now(), UpdatedAt: time.Now(), State: event.ReplayFailures,
		Endpoint: "crm", Total: 1, ReplayOptions: event.ReplayOptions{Concurrency: 1}}
	again := one(0, "crm", event.Failed)
	again.ReplayID = r.ID
	if err := errors.Join(f.db.SaveReplay(context.Background(), r),
		f.db.RecordOutcomes(context.Background(), "", []event.Delivery{again}, nil)); err != nil {
		t.Fatal(err)
	}
	if plan, err := f.client(replaySecret).RetryDeliveries(context.Background(), "", api.DeliveryRetry{DryRun: true,
		Selection: event.DeliverySelection{Endpoints: []string{"crm"}, States: []event.DeliveryState{
			event.Failed}}}); err != nil || plan.Failed != 2 || plan.Sent != 1 || len(plan.Replays) != 1 {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	// A cancelled delivery is alike, and not of the group.
	groups, err := f.client(readSecret).FailureGroups(context.Background(),
		event.DeliverySelection{Endpoints: []string{"crm"}}, 10)
	if err != nil || len(groups.Groups) != 1 || groups.Count != 2 {
		t.Fatalf("%+v, %v", groups, err)
	}
	if plan, err := f.client(replaySecret).RetryDeliveries(context.Background(), "", api.DeliveryRetry{DryRun: true,
		Selection: event.DeliverySelection{Groups: []string{groups.Groups[0].Key}}}); err != nil || plan.Failed != 2 ||
		plan.Sent != 1 {
		t.Errorf("the plan of the group is %+v, %v", plan, err)
	}
	result, err := f.client(replaySecret).RetryDeliveries(context.Background(), "", api.DeliveryRetry{
		Selection: event.DeliverySelection{Replays: []string{event.LiveDelivery}}})
	if err != nil || result.Sent != 2 || len(result.Replays) != 1 || result.Replays[0].Endpoint != "crm" ||
		result.Asked+result.Waiting != 0 {
		t.Fatalf("%+v, %v", result, err)
	}
	var refused []string
	for _, r := range result.Refused {
		refused = append(refused, fmt.Sprintf("%d to %s: %s", r.Count, r.Endpoint, r.Why))
	}
	for i, want := range []string{"1 to crm: crm has no subscribe", "1 to old: old is not in the configuration",
		"1 to old: there is no endpoint \"old\""} {
		if i >= len(refused) || !strings.HasPrefix(refused[i], want) {
			t.Errorf("refused: %q, want %q", refused, want)
		}
	}
	var page api.DeliveryPage
	f.get(readSecret, "/api/v1/deliveries?replay=live&state=pending&state=retrying", &page)
	for _, d := range page.Deliveries {
		want := map[string]event.WaitingCode{"crm": event.WaitsUnwanted, "old": event.WaitsRemoved}[d.Endpoint]
		if d.Waiting == nil || d.Waiting.Code != want {
			t.Errorf("a live delivery to %s waits for %+v, want %s", d.Endpoint, d.Waiting, want)
		}
	}
	f.awaitEnd(result.Replays[0].ID)
}

// TestRetryOfSomeStates: a retry of pending deliveries does not make the retrying ones of their queue due, and one at a
// paused endpoint is refused.
func TestRetryOfSomeStates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, client := context.Background(), f.client(replaySecret)
	events := newEvents("shop", 2)
	f.insert(events...)
	r := event.Replay{ID: uuid.New(), CreatedAt: time.Now(), UpdatedAt: time.Now(), State: event.ReplayRunning,
		Endpoint: "crm", Total: 2, ReplayOptions: event.ReplayOptions{Order: event.OrderSubscriber,
			Mode: event.ModeUndelivered, Retry: event.RetryEndpoint}}
	var list []event.Delivery
	for i, state := range []event.DeliveryState{event.Retrying, event.Pending} { // the second waits for the first
		list = append(list, event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: r.ID, Endpoint: r.Endpoint,
			EventID: events[i].ID}, EventReceivedAt: events[i].ReceivedAt, State: state, Attempts: uint32(1 - i),
			NextAt: time.Now().Add(time.Hour), UpdatedAt: time.Now(), Subscriber: "7"})
	}
	if err := errors.Join(f.db.RecordOutcomes(ctx, "", list, nil), f.db.SaveReplay(ctx, r)); err != nil {
		t.Fatal(err)
	}
	want := api.DeliveryRetry{Selection: event.DeliverySelection{Replays: []string{r.ID.String()},
		States: []event.DeliveryState{event.Pending}}}
	result, err := client.RetryDeliveries(ctx, "", want)
	if err != nil || result.Waiting != 1 || result.Asked != 0 || result.Failed != 0 {
		t.Errorf("pending ones: %+v, %v", result, err)
	}
	steering, _, err := f.db.Steering(ctx)
	if err != nil {
		t.Fatal(err)
	}
	commands, err := f.db.RetryCommands(ctx, r.ID.String(), steering[r.ID.String()].Retries)
	if err != nil || len(commands) != 1 || len(commands[0].Events) != 0 {
		t.Errorf("the commands are %+v, %v", commands, err)
	}
	testutil.Eventually(t, func() error {
		f.get(readSecret, "/api/v1/replays/"+r.ID.String(), &r)
		if w := r.Waiting; w == nil || w.Code != event.WaitsForRetry || w.Until.IsZero() {
			return fmt.Errorf("the replay waits for %+v", w)
		}
		return nil
	})
	if err := client.SteerEndpoint(ctx, "crm", event.ActionPause, "it moves"); err != nil {
		t.Fatal(err)
	}
	result, err = client.RetryDeliveries(ctx, "", want)
	if err != nil || result.Waiting != 0 || len(result.Refused) != 1 || result.Refused[0].Count != 1 ||
		!strings.Contains(result.Refused[0].Why, "it moves") {
		t.Errorf("at a paused endpoint: %+v, %v", result, err)
	}
}

// TestRetryNow: a delivery that would be retried tomorrow is tried now, and says until then what it waits for.
func TestRetryNow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte("closed"))
	})
	f.insert(newEvents("shop", 1)...)
	made := f.create("shop", nil)
	path := "/api/v1/replays/" + made.ID.String() + "/deliveries?state=retrying"
	var page api.DeliveryPage
	testutil.Eventually(t, func() error {
		f.get(readSecret, path, &page)
		if len(page.Deliveries) != 1 {
			return errors.New("nothing is retried")
		}
		return nil
	})
	d := page.Deliveries[0]
	if w := d.Waiting; w == nil || w.Code != event.WaitsForRetry || w.Action != "retry_now" ||
		!w.Until.Equal(d.NextAt) || w.Answer != "answered 503 Service Unavailable: closed" ||
		!strings.Contains(w.Text, d.NextAt.UTC().Format("2006-01-02 15:04:05 UTC")) {
		t.Errorf("it waits for %+v", w)
	}
	var r event.Replay
	testutil.Eventually(t, func() error {
		if f.get(readSecret, "/api/v1/replays/"+made.ID.String(), &r); r.Waiting == nil ||
			r.Waiting.Code != event.WaitsForRetry {
			return fmt.Errorf("the replay waits for %+v", r.Waiting)
		}
		return nil
	})
	f.receiver.answers(nil)
	a := f.ask(replaySecret, "POST", "/api/v1/deliveries/retry",
		map[string]any{"selection": map[string]any{"ids": []string{d.ID}}})
	if a.status != http.StatusOK || !strings.Contains(string(a.body), `"asked":1`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if r = f.awaitEnd(made.ID); r.State != event.ReplayCompleted {
		t.Errorf("the replay ends as %s: %v", r.State, r.Counts)
	}
}

// TestWaiting: what is paused says by whom and why, and an endpoint's counts of live deliveries and replays are
// separate.
func TestWaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 3)...)
	client := f.client(replaySecret)
	if err := client.SteerEndpoint(context.Background(), "crm", event.ActionPause,
		"the CRM moves\x1b[31m"); err != nil {
		t.Fatal(err)
	}
	r := f.create("shop", nil)
	endpoint := func() (e api.Endpoint) {
		list, err := client.Endpoints(context.Background())
		if err != nil || len(list) != 2 {
			t.Fatalf("%d endpoints, %v", len(list), err)
		}
		return list[0]
	}
	check := func(what string, w *api.Waiting, code event.WaitingCode, parts ...string) {
		t.Helper()
		if w == nil || w.Code != code {
			t.Errorf("%s waits for %+v, want %s", what, w, code)
			return
		}
		for _, part := range parts {
			if !strings.Contains(w.Text, part) {
				t.Errorf("%s: %q does not contain %q", what, w.Text, part)
			}
		}
	}
	testutil.Eventually(t, func() error {
		if w := endpoint().Waiting; w == nil || w.Code != event.WaitsEndpoint {
			return fmt.Errorf("crm waits for %+v", w)
		}
		return nil
	})
	why := []string{"crm was paused at ", "the CRM moves", "replayer"}
	check("the endpoint", endpoint().Waiting, event.WaitsEndpoint, why...)
	if e := endpoint(); e.Replays[event.Pending] != 3 || len(e.Backlog) != 0 {
		t.Errorf("the counts are %v and %v", e.Backlog, e.Replays)
	}
	f.get(readSecret, "/api/v1/replays/"+r.ID.String(), &r)
	check("the replay", r.Waiting, event.WaitsEndpoint, why...)
	var page api.DeliveryPage
	f.get(readSecret, "/api/v1/deliveries?replay="+r.ID.String(), &page)
	check("the delivery", page.Deliveries[0].Waiting, event.WaitsEndpoint, why...)
	if err := client.Steer(context.Background(), r.ID, event.ActionPause, 0, "lunch"); err != nil {
		t.Fatal(err)
	}
	f.get(readSecret, "/api/v1/replays/"+r.ID.String(), &r)
	check("the replay", r.Waiting, event.WaitsReplay, "lunch", "replayer")
	if a := f.ask(replaySecret, "POST", "/api/v1/endpoints/crm/pause?reason="+strings.Repeat("x", 501),
		nil); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a long reason: %d", a.status)
	}
	plan, err := client.Plan(context.Background(),
		replay.Request{Selection: event.Selection{Sources: []string{"shop"}}, To: "crm",
			ReplayOptions: event.ReplayOptions{Mode: event.ModeAll}})
	if err != nil || len(plan.Confirm) != 2 || plan.Confirm[0].Code != "mode_all" || plan.Confirm[1].Code != "repeat" ||
		!strings.Contains(plan.Confirm[1].Text, r.ID.String()) {
		t.Errorf("the plan asks %+v, %v", plan.Confirm, err)
	}
}
