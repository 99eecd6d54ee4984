package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
	"hooktape/web/api"
)

// TestCreate verifies that a plan creates nothing, that a replay is sent to its target with the name of its creator,
// and that no replay is created without events.
func TestCreate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 25)...)
	want := map[string]any{"selection": map[string]any{"sources": []string{"shop"}}, "to": "crm", "rate": 1000,
		"dry_run": true, "headers": []map[string]string{{"name": "X-Secret", "value": "only-for-crm"}}}
	a := f.ask(replaySecret, "POST", "/api/v1/replays", want)
	var plan api.Plan
	if err := json.Unmarshal(a.body, &plan); err != nil || a.status != http.StatusOK || plan.Count != 25 ||
		len(plan.Samples) != 10 ||
		plan.Parts[0].Step != "paid" || plan.Seconds != 0.025 || plan.URL != f.receiver.URL+"/hooks?token=***" {
		t.Fatalf("plan: %d %s", a.status, a.body)
	}
	var none api.ReplayList
	if f.get(readSecret, "/api/v1/replays", &none); none.Replays == nil || len(none.Replays) != 0 {
		t.Fatalf("a plan created a replay: %+v", none)
	}

	delete(want, "dry_run")
	a = f.ask(replaySecret, "POST", "/api/v1/replays", want)
	var made event.Replay
	if err := json.Unmarshal(a.body, &made); err != nil || a.status != http.StatusCreated ||
		a.header.Get("Location") != "/api/v1/replays/"+made.ID.String() {
		t.Fatalf("create: %d %v %s", a.status, a.header, a.body)
	}
	done := f.awaitState(made.ID, event.ReplayCompleted)
	for before, want := range map[uuid.UUID]int{uuid.Nil: 1, made.ID: 0} {
		if list, err := f.client(readSecret).Replays(context.Background(), before, 10); err != nil ||
			len(list) != want {
			t.Errorf("before %s: %d replays, %v, want %d", before, len(list), err, want)
		}
	}
	if done.Counts[event.Delivered] != 25 || done.Total != 25 || done.CreatedBy != "replayer" ||
		done.Endpoint != "crm" || done.Rate != 1000 ||
		done.Order != event.OrderNone || done.Mode != event.ModeUndelivered || done.Retry != event.RetryEndpoint ||
		done.Concurrency != 4 {
		t.Errorf("finished replay: %+v", done)
	}
	for _, r := range f.receiver.requests() {
		if r.Header.Get("X-Secret") != "only-for-crm" {
			t.Errorf("a request without the replay's header: %v", r.Header)
		}
	}
	for _, path := range []string{"/api/v1/replays", "/api/v1/replays/" + made.ID.String(), "/api/v1/endpoints",
		"/api/v1/audit-log"} {
		if a := f.ask(adminSecret, "GET", path, nil); strings.Contains(string(a.body), "only-for-crm") ||
			strings.Contains(string(a.body), "a-secret-of-crm") {
			t.Errorf("GET %s shows a secret: %s", path, a.body)
		}
	}

	a = f.ask(replaySecret, "POST", "/api/v1/replays", want) // all are delivered by now
	if err := json.Unmarshal(a.body, &plan); err != nil || a.status != http.StatusOK || plan.Count != 0 ||
		plan.Delivered != 25 || a.header.Get("Location") != "" {
		t.Errorf("replay without events: %d %v %s", a.status, a.header, a.body)
	}
	if _, err := f.client(replaySecret).Create(context.Background(), "",
		replay.Request{To: "crm", Selection: event.Selection{Sources: []string{"shop"}}}); err != replay.ErrNothing {
		t.Errorf("the client returned %v", err)
	}
	var one api.Event
	f.get(readSecret, "/api/v1/events/"+someEvent(t, f).String(), &one)
	if len(one.Deliveries) != 1 || one.Deliveries[0].State != event.Delivered || len(one.Deliveries[0].Attempts) != 1 ||
		string(one.Deliveries[0].Attempts[0].Response()) != "taken" ||
		one.Deliveries[0].Attempts[0].URL != f.receiver.URL+"/hooks?token=***" {
		t.Errorf("deliveries of the event: %+v", one.Deliveries)
	}
	var list api.DeliveryList
	if f.get(readSecret, "/api/v1/events/"+one.ID.String()+"/deliveries", &list); len(list.Deliveries) != 1 ||
		len(list.Deliveries[0].Attempts) != 1 {
		t.Errorf("list of deliveries: %+v", list)
	}
}

// someEvent returns the id of one event.
func someEvent(t *testing.T, f *fixture) uuid.UUID {
	t.Helper()
	var page api.EventPage
	f.get(readSecret, "/api/v1/events?limit=1", &page)
	return page.Events[0].ID
}

// TestIdempotency verifies that concurrent and repeated requests with one key create one replay, and that a key belongs
// to its creator and to one request.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 5)...)
	body := `{"selection":{"sources":["shop"]},"to":"crm","mode":"all"}`
	var mu sync.Mutex
	ids := map[string]int{}
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			a := f.ask(replaySecret, "POST", "/api/v1/replays", body, "Idempotency-Key", "monday 1")
			var r event.Replay
			_ = json.Unmarshal(a.body, &r)
			mu.Lock()
			defer mu.Unlock()
			ids[fmt.Sprint(a.status, " ", r.ID)]++
		})
	}
	all.Wait()
	if len(ids) != 1 {
		t.Errorf("six creations with one key: %v", ids)
	}
	if a := f.ask(replaySecret, "POST", "/api/v1/replays", `{"selection":{},"to":"crm","mode":"all"}`,
		"Idempotency-Key", "monday 1"); a.status != http.StatusConflict {
		t.Errorf("same key, another request: %d %s", a.status, a.body)
	}
	if a := f.ask(otherSecret, "POST", "/api/v1/replays", body, "Idempotency-Key",
		"monday 1"); a.status != http.StatusCreated {
		t.Errorf("same key of another creator: %d %s", a.status, a.body)
	}
	if a := f.ask(replaySecret, "POST", "/api/v1/replays", body); a.status != http.StatusCreated {
		t.Errorf("without a key: %d %s", a.status, a.body)
	}
	if a := f.ask(replaySecret, "POST", "/api/v1/replays", body, "Idempotency-Key",
		strings.Repeat("k", 256)); a.status != http.StatusUnprocessableEntity {
		t.Errorf("too long key: %d %s", a.status, a.body)
	}
	var list api.ReplayList
	if f.get(readSecret, "/api/v1/replays", &list); len(list.Replays) != 3 {
		t.Errorf("%d replays, want 3", len(list.Replays))
	}
}

// TestSteer pauses a replay, resumes it with another rate and cancels it, and verifies that the audit log has who did
// it.
func TestSteer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 200)...)
	r := f.create("shop", func(want *replay.Request) { want.Rate = 20 })
	path := "/api/v1/replays/" + r.ID.String()
	steer := func(secret, method, path string, body any) {
		t.Helper()
		if a := f.ask(secret, method, path, body); a.status != http.StatusAccepted {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	f.awaitState(r.ID, event.ReplayRunning)
	steer(replaySecret, "PATCH", path, `{"state":"paused"}`)
	f.awaitState(r.ID, event.ReplayPaused)
	testutil.Eventually(f.t, func() error {
		before := len(f.receiver.requests())
		time.Sleep(300 * time.Millisecond) // time for six requests at this rate
		if after := len(f.receiver.requests()); after > before || after > 150 {
			return fmt.Errorf("%d more requests after the pause", after-before)
		}
		return nil
	})
	steer(otherSecret, "PATCH", path, `{"state":"running","rate":40}`)
	if again := f.awaitState(r.ID, event.ReplayRunning); again.Rate != 40 {
		t.Errorf("got the rate %v", again.Rate)
	}
	steer(replaySecret, "POST", path+"/cancel", nil)
	testutil.Eventually(f.t, func() error {
		end := f.awaitState(r.ID, event.ReplayCancelled)
		if end.Open() > 0 || end.Counts[event.Cancelled] == 0 {
			return fmt.Errorf("cancelled: %v", end.Counts)
		}
		return nil
	})
	for method, path := range map[string]string{"PATCH": path, "POST": path + "/cancel"} {
		if a := f.ask(replaySecret, method, path, map[string]any{"state": "running"}); method == "PATCH" &&
			!strings.Contains(a.problem(t).Detail, "cancelled already") {
			t.Errorf("%s after the end: %d %s", method, a.status, a.body)
		}
	}
	steer(replaySecret, "POST", "/api/v1/endpoints/crm/pause", nil)
	f.awaitEndpoint("crm", "paused")
	steer(replaySecret, "POST", "/api/v1/endpoints/crm/resume", nil)
	f.awaitEndpoint("crm", "active")

	var log api.AuditPage
	f.get(adminSecret, "/api/v1/audit-log", &log)
	var lines []string
	for _, e := range log.Entries {
		lines = append(lines, e.Who+" "+e.Action+" "+e.Target+" "+e.RemoteIP)
	}
	id := r.ID.String()
	want := []string{"replayer endpoint.resume crm 127.0.0.1", "replayer endpoint.pause crm 127.0.0.1",
		"replayer replay.cancel " + id + " 127.0.0.1", "other replay.resume " + id + " 127.0.0.1",
		"other replay.set-rate " + id + " 127.0.0.1", "replayer replay.pause " + id + " 127.0.0.1",
		"replayer replay.create " + id + " 127.0.0.1"}
	if strings.Join(lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("audit log:\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func (f *fixture) awaitEndpoint(name, state string) {
	f.t.Helper()
	testutil.Eventually(f.t, func() error {
		list, err := f.client(readSecret).Endpoints(context.Background())
		if err != nil {
			return err
		}
		for _, e := range list {
			if e.Name == name && e.State == state {
				return nil
			}
		}
		return fmt.Errorf("want %s %s: %+v", name, state, list)
	})
}

// TestDiff verifies the comparison of a replay's answers with an earlier replay's.
func TestDiff(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 6)...)
	f.awaitState(f.create("shop", nil).ID, event.ReplayCompleted)
	var requests atomic.Int32
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) {
		switch requests.Add(1) % 2 {
		case 0:
			fmt.Fprint(w, "taken")
		default:
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprint(w, "\xff no")
		}
	})
	again := f.create("shop", func(want *replay.Request) { want.Mode = event.ModeAll })
	f.awaitState(again.ID, event.ReplayFailures)
	for _, against := range []string{"", "crm"} {
		diff, err := f.client(readSecret).Diff(context.Background(), again.ID, against, 1)
		if err != nil {
			t.Fatal(err)
		}
		if diff.Same+diff.DifferentStatus != 6 || diff.Here.P95MS <= 0 ||
			(diff.DifferentStatus > 0) != (len(diff.Rows) == 1) {
			t.Errorf("against %q: %+v", against, diff)
		}
		for _, row := range diff.Rows {
			if row.Here.StatusCode != http.StatusTeapot || row.There.StatusCode != 200 ||
				string(row.Here.Response()) != "\xff no" || strings.Join(row.Differs, " ") != "status outcome body" {
				t.Errorf("a row: %+v\n%+v\n%+v", row, row.Here, row.There)
			}
		}
	}
	none, err := f.client(readSecret).Diff(context.Background(), again.ID, "elsewhere", 5)
	if err != nil || none.OnlyHere != 6 {
		t.Errorf("against an endpoint without deliveries: %+v, %v", none, err)
	}
	if _, err := f.client(readSecret).Diff(context.Background(), again.ID, "cmr", 5); err == nil ||
		!strings.Contains(err.Error(), `there is no endpoint "cmr"; known are crm, elsewhere`) {
		t.Errorf("against an unknown endpoint: %v", err)
	}
}

// version7 matches the middle of a UUIDv7, once in each id.
var version7 = regexp.MustCompile(`-7[0-9a-f]{3}-[89ab]`)

// TestPrivateAddressesByRole verifies that replay.allow_private applies to the role admin only, and that the setting of
// a configured endpoint applies to every role.
func TestPrivateAddressesByRole(t *testing.T) {
	t.Parallel()
	f := fixtureOn(t, storetest.DSN(t), true)
	f.insert(newEvents("shop", 3)...)
	want := replay.Request{To: f.receiver.URL + "/hook", Selection: event.Selection{Sources: []string{"shop"}}}
	replayer := f.client(replaySecret)
	for doing, refused := range map[string]func() error{
		"planned": func() error { _, err := replayer.Plan(context.Background(), want); return err },
		"made":    func() error { _, err := replayer.Create(context.Background(), "", want); return err },
	} {
		if err := refused(); err == nil || !strings.Contains(err.Error(),
			"for the role admin and the local command line, replay.allow_private in the configuration allows it") {
			t.Errorf("replay to this machine %s by the role replay: %v", doing, err)
		}
	}
	if list, err := replayer.Replays(context.Background(), uuid.Nil, 10); err != nil || len(list) > 0 {
		t.Errorf("unexpected replays: %+v, %v", list, err)
	}
	r, err := f.client(adminSecret).Create(context.Background(), "", want)
	if err != nil {
		t.Fatal(err)
	}
	f.awaitState(r.ID, event.ReplayCompleted)
	want.To = "crm"
	if r, err = replayer.Create(context.Background(), "", want); err != nil {
		t.Fatal(err)
	}
	f.awaitState(r.ID, event.ReplayCompleted)
}

// TestMasking verifies that the query values of a replay's URL are masked everywhere.
func TestMasking(t *testing.T) {
	t.Parallel()
	f := fixtureOn(t, storetest.DSN(t), true)
	events := newEvents("shop", 150)
	f.insert(events...)
	const secret = "secret-of-the-receiver"
	want := replay.Request{To: f.receiver.URL + "/hook?key=" + secret,
		Selection: event.Selection{IDs: make([]uuid.UUID, len(events)),
			UndeliveredTo: f.receiver.URL + "/hook?key=" + secret},
		ReplayOptions: event.ReplayOptions{Rate: 1, MaxAttempts: 1,
			Headers: []event.Header{{Name: "Authorization", Value: secret}}}}
	for i, e := range events {
		want.Selection.IDs[i] = e.ID
	}
	client := f.client(adminSecret) // an admin may send to this machine
	plan, err := client.Plan(context.Background(), want)
	if err != nil || plan.Count != 150 {
		t.Fatalf("plan: %+v, %v", plan, err)
	}
	r, err := client.Create(context.Background(), "key", want)
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.Create(context.Background(), "key", want)
	if err != nil || again.ID != r.ID || len(again.Selection.IDs) != 150 {
		t.Errorf("repeated creation: %+v, %v", again, err)
	}
	f.awaitState(r.ID, event.ReplayRunning)
	testutil.Eventually(f.t, func() error {
		a := f.ask(readSecret, "GET", "/api/v1/events/"+events[0].ID.String(), nil)
		if !strings.Contains(string(a.body), `"endpoint":"`+replay.TargetName(want.To)+`"`) ||
			!strings.Contains(string(a.body), f.receiver.URL+`/hook?key=***#`) {
			return fmt.Errorf("the delivery: %s", a.body)
		}
		return nil
	})
	response := f.stream(r.ID)
	defer response.Body.Close()
	progress := make([]byte, 64<<10)
	n, _ := response.Body.Read(progress)
	shown := map[string]string{"the plan": plan.Endpoint + plan.URL, "the stream": string(progress[:n]),
		"the log": f.log.String()}
	for _, path := range []string{"/api/v1/replays", "/api/v1/replays/" + r.ID.String(), "/api/v1/audit-log",
		"/api/v1/events/" + events[0].ID.String()} {
		shown[path] = string(f.ask(adminSecret, "GET", path, nil).body)
	}
	for where, text := range shown {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows a secret: %s", where, text)
		}
	}
	if ids := len(version7.FindAllString(shown["the stream"], -1)); ids > 110 {
		t.Errorf("the stream repeats %d ids", ids)
	}
	testutil.Eventually(f.t, func() error {
		page, err := client.Events(context.Background(), event.Selection{UndeliveredTo: want.To}, 1000, "")
		if err == nil && len(page.Events) == len(events) {
			err = fmt.Errorf("%d of %d events are undelivered to the URL", len(page.Events), len(events))
		}
		return err
	})
	if err := client.Steer(context.Background(), r.ID, event.ActionCancel, 0, ""); err != nil {
		t.Error(err)
	}
}

// TestTargetsOfOneReceiver verifies that replays, selections and comparisons distinguish two URLs of one receiver that
// differ in the query, and that the targets' names differ and show no secret.
func TestTargetsOfOneReceiver(t *testing.T) {
	t.Parallel()
	f := fixtureOn(t, storetest.DSN(t), true)
	f.insert(newEvents("shop", 3)...)
	c := f.client(adminSecret)
	lead, deal := f.receiver.URL+"/h.php?action=lead", f.receiver.URL+"/h.php?action=deal"
	names := map[string]bool{}
	for i, to := range []string{lead, deal} {
		r, err := c.Create(context.Background(), "", replay.Request{To: to})
		if err != nil || r.Total != 3 {
			t.Fatalf("to %s: %d events, %v", to, r.Total, err)
		}
		f.awaitState(r.ID, event.ReplayCompleted)
		names[r.Endpoint] = true
		if strings.Contains(r.Endpoint, "action=lead") || strings.Contains(r.Endpoint, "action=deal") {
			t.Errorf("the name shows the query: %s", r.Endpoint)
		}
		if got := len(f.receiver.requests()); got != 3*(i+1) {
			t.Errorf("%d requests after the replay to %s", got, to)
		}
		if _, err := c.Create(context.Background(), "", replay.Request{To: r.Endpoint}); err == nil {
			t.Errorf("a replay to the name %s was created", r.Endpoint)
		}
		if diff, err := c.Diff(context.Background(), r.ID, lead, 10); err != nil || diff.OnlyHere != uint64(3*(1-i)) ||
			diff.Same != uint64(3*i) {
			t.Errorf("compared with %s: %+v, %v", lead, diff, err)
		}
	}
	if len(names) != 2 {
		t.Errorf("names of the targets: %v", names)
	}
	for _, to := range []string{lead, deal} {
		if _, err := c.Create(context.Background(), "", replay.Request{To: to}); !errors.Is(err, replay.ErrNothing) {
			t.Errorf("a second replay to %s: %v", to, err)
		}
	}
}

// TestRepeat: a repeated replay has the events of the first, and its headers at the same endpoint. Roles hold as in
// any other request.
func TestRepeat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx, client := context.Background(), f.client(replaySecret)
	f.insert(newEvents("shop", 3)...)
	first := f.awaitEnd(f.create("shop", func(r *replay.Request) {
		r.Headers = []event.Header{{Name: "X-Key", Value: "kept"}}
	}).ID)
	later := newEvent("shop", 0)
	later.ReceivedAt = time.Now().UTC().Truncate(time.Microsecond)
	later.ID = event.NewID(later.ReceivedAt)
	f.insert(later)
	want := replay.Request{Again: first.ID, ReplayOptions: event.ReplayOptions{Mode: event.ModeAll}}
	plan, err := client.Plan(ctx, want)
	if err != nil || plan.Count != 3 || plan.Endpoint != "crm" || !slices.ContainsFunc(plan.Confirm,
		func(c replay.Confirmation) bool {
			return c.Code == "repeat" && strings.Contains(c.Text, first.ID.String())
		}) {
		t.Errorf("the plan is %+v, %v", plan, err)
	}
	sent := len(f.receiver.requests())
	second, err := client.Create(ctx, "", want)
	if err != nil || len(second.Headers) != 1 || second.Headers[0].Value == "kept" {
		t.Fatalf("%+v, %v", second, err)
	}
	f.awaitEnd(second.ID)
	requests := f.receiver.requests()[sent:]
	if len(requests) != 3 || requests[0].Header.Get("X-Key") != "kept" {
		t.Errorf("%d requests, want 3 with the header", len(requests))
	}
	want.Selection.Sources = []string{"other"}
	if _, err := client.Plan(ctx, want); err == nil || !strings.Contains(err.Error(), "exclude each other") {
		t.Errorf("with a selection: %v", err)
	}
	secret, err := f.client(adminSecret).Create(ctx, "", replay.Request{Selection: event.Selection{Where: "step = 'paid'"},
		To: "crm", ReplayOptions: event.ReplayOptions{Mode: event.ModeAll}})
	if err != nil {
		t.Fatal(err)
	}
	f.awaitEnd(secret.ID)
	if _, err := client.Plan(ctx, replay.Request{Again: secret.ID}); err == nil ||
		!strings.Contains(err.Error(), "where needs the role admin") {
		t.Errorf("an admin's expression: %v", err)
	}
	if _, err := client.Plan(ctx, replay.Request{Again: uuid.New()}); err == nil ||
		!strings.Contains(err.Error(), "there is no replay") {
		t.Errorf("an unknown replay: %v", err)
	}
}
