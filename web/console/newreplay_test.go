package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
)

// TestNewReplay checks the form of a replay, its confirmations, and sending one event again.
func TestNewReplay(t *testing.T) {
	t.Parallel()
	billing := replay.DefaultEndpoint("billing", newReceiver(t).URL)
	billing.AllowPrivate = true
	f := newFixture(t, billing)
	for name, test := range map[string]func(*fixture){"Target": (*fixture).testTarget,
		"PlanAgain": (*fixture).testPlanAgain, "Confirm": (*fixture).testConfirm, "SendAgain": (*fixture).testSendAgain,
		"OpenFailure": (*fixture).testOpenFailure} {
		t.Run(name, func(t *testing.T) { test(f.on(t)) })
	}
}

// testTarget verifies that the endpoint is required, and that the filter "failed at" sets it and shows the plan
// immediately.
func (f *fixture) testTarget() {
	p := f.login(replaySecret)
	page := p.page("/replays?since=1h")
	if !strings.Contains(page, `<select name="endpoint" required><option value="">Choose…</option><option>crm`) ||
		strings.Contains(page, `class="plan"`) {
		f.t.Errorf("form without a target: %s", page)
	}
	if strings.Index(page, `name="endpoint"`) > strings.Index(page, `name="mode"`) ||
		strings.Contains(page, `<details class="wide" open>`) {
		f.t.Error("the target is not first, or advanced options are open")
	}
	for _, name := range []string{"Order", "Max requests per second", "Concurrency", "Playback speed",
		"Stop after N consecutive failures"} {
		if i := strings.Index(page, "<label>"+name); i < strings.Index(page, "<summary>Advanced") {
			f.t.Errorf("%s is not an advanced option", name)
		}
	}
	for _, query := range []string{"failed_at=billing&since=1h", "undelivered_to=billing"} {
		if page = p.page("/replays?" + query); !strings.Contains(page, "<option selected>billing") ||
			!strings.Contains(page, `class="plan"`) {
			f.t.Errorf("%s does not select billing and show a plan", query)
		}
	}
	if page = p.page("/replays?since=1h&endpoint=:url&url=" +
		url.QueryEscape("https://crm.example.org/x")); !strings.Contains(page, `value="https://crm.example.org/x"`) {
		f.t.Error("the form does not show the URL again")
	}
}

// testPlanAgain verifies that a replay can be planned again with all its options.
func (f *fixture) testPlanAgain() {
	f.insert(newLead("again", "Анна", time.Minute))
	p := f.login(adminSecret)
	options := "mode=all&order=subscriber&rate=7.5&concurrency=3&pace=20&stop_after_failures=9&retry=none&max_attempts=2&include_rejected=true"
	id := f.replayOf(p, "subscriber=again&endpoint=crm&"+options)
	again := linkIn(p.page("/replays/"+id.String()), `<a class="button" href="/replays?`)
	page := p.page("/replays?" + again)
	got, _ := url.ParseQuery(linkIn(page, `<form class="go" method="post" action="/replays?`))
	want, _ := url.ParseQuery(options + "&endpoint=crm&again=" + id.String())
	if got.Encode() != want.Encode() {
		f.t.Errorf("planned again with %s, want %s", got.Encode(), want.Encode())
	}
	for _, field := range []string{`value="all" checked`, `value="subscriber" selected`,
		`name="rate" type="number" min="0" step="any" value="7.5"`, `value="none" selected`,
		`name="max_attempts" type="number" min="0" max="65535" value="2"`, `<details class="wide" open>`,
		"Replay 1 event"} {
		if !strings.Contains(page, field) {
			f.t.Errorf("the form does not have %s", field)
		}
	}
}

// testConfirm verifies that a replay of many events, of all events, and of the same events again needs a confirmation.
func (f *fixture) testConfirm() {
	var events []event.Event
	for i := range 1001 {
		events = append(events, newLead("many", "Анна", time.Minute+time.Duration(i)*time.Millisecond))
	}
	f.insert(append(events, newLead("few", "Иван", time.Minute))...)
	p := f.login(replaySecret)
	replays := func() int {
		list, err := f.db.Replays(background, uuid.Nil, 100)
		if err != nil {
			f.t.Fatal(err)
		}
		return len(list)
	}
	for query, reason := range map[string]string{"subscriber=many&endpoint=crm&mode=all": "It sends 1001 events.",
		"subscriber=few&endpoint=crm&mode=all": "(mode all)"} {
		action := linkIn(p.page("/replays?"+query), `<form class="go" method="post" action="`)
		form := url.Values{"key": {query}}
		before := replays()
		a := p.post(action, form)
		if a.status != http.StatusOK || !strings.Contains(a.body, reason) || replays() != before {
			f.t.Errorf("%s is created without a confirmation: %d %s", query, a.status, a.body)
		}
		for _, hidden := range []string{`name="key" value="`, `name="confirmed" value="1"`,
			`action="` + strings.ReplaceAll(action, "&", "&amp;") + `"`} {
			if !strings.Contains(a.body, hidden) {
				f.t.Errorf("the page that asks has no %s:\n%s", hidden, a.body)
			}
		}
		form.Set("confirmed", "1")
		if a := p.post(action, form); a.status != http.StatusSeeOther || replays() != before+1 {
			f.t.Errorf("%s is not created after the confirmation: %d", query, a.status)
		}
		form = url.Values{"key": {"another " + query}}
		if a := p.post(action, form); !strings.Contains(a.body, "the same selection was replayed") &&
			!strings.Contains(a.body, "The same selection was replayed") || replays() != before+1 {
			f.t.Errorf("%s is repeated without a confirmation: %d %s", query, a.status, a.body)
		}
	}
	if a := p.post("/replays?source=demo&subscriber=few&endpoint=billing",
		url.Values{"key": {"harmless"}}); a.status != http.StatusSeeOther {
		f.t.Errorf("a harmless replay needs a confirmation: %s", a.body)
	}
}

// testSendAgain verifies that an event that the endpoint accepted is sent again only after a confirmation.
func (f *fixture) testSendAgain() {
	e := newLead("has", "Анна", time.Minute)
	f.insert(e)
	p := f.login(replaySecret)
	form := func(key string) url.Values { return url.Values{"endpoint": {"crm"}, "url": {""}, "key": {key}} }
	path := "/events/" + e.ID.String() + "/replay"
	waiting := newLead("waits", "Анна", time.Minute)
	f.insert(waiting)
	open := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: waiting.ID},
		EventReceivedAt: waiting.ReceivedAt, State: event.Retrying, Attempts: 1, NextAt: time.Now().Add(time.Hour),
		UpdatedAt: time.Now()}
	if err := f.db.InsertDeliveries(f.t.Context(), []event.Delivery{open}); err != nil {
		f.t.Fatal(err)
	}
	if a := p.post("/events/"+waiting.ID.String()+"/replay", form("open")); a.status != http.StatusOK ||
		!strings.Contains(a.body, "still open, and will be sent too") {
		f.t.Errorf("an event whose delivery is open is sent without a question: %d %s", a.status, a.body)
	}
	first := p.post(path, form("first"))
	if first.status != http.StatusSeeOther {
		f.t.Fatalf("first time: %d %s", first.status, first.body)
	}
	f.awaitEnd(first.header.Get("Location"))
	again := p.post(path, form("again"))
	if again.status != http.StatusOK || !strings.Contains(again.body, "has this event since <time") ||
		!strings.Contains(again.body, "Send it again?") {
		f.t.Fatalf("second time: %d %s", again.status, again.body)
	}
	if n := f.receiver.requests(e.ID); n != 1 {
		f.t.Errorf("the endpoint got it %d times", n)
	}
	confirmed := form("again")
	confirmed.Set("confirmed", "1")
	f.awaitEnd(p.post(path, confirmed).header.Get("Location"))
	if n := f.receiver.requests(e.ID); n != 2 {
		f.t.Errorf("after the confirmation the endpoint got it %d times", n)
	}
}

// testOpenFailure verifies that the event's page shows the answer of the newest failure, but not of a failure before a
// delivery.
func (f *fixture) testOpenFailure() {
	e := newLead("open", "Анна", time.Minute)
	f.insert(e)
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the database is locked", http.StatusServiceUnavailable)
	})
	p := f.login(replaySecret)
	query := "id=" + e.ID.String() + "&endpoint=crm&mode=all"
	f.replayOf(p, query)
	f.replayOf(p, query+"&max_attempts=1")
	page := p.page("/events/" + e.ID.String())
	_, open, _ := strings.Cut(page, `<details class="attempt" open>`)
	open, _, _ = strings.Cut(open, "</details>")
	if strings.Count(page, `<details class="attempt" open>`) != 1 ||
		!strings.Contains(open, "the database is locked") || !strings.Contains(open, "attempt 1") {
		f.t.Errorf("got the open element %s", open)
	}
	if n := strings.Count(page, "of a replay"); n != 3 || !strings.Contains(page, ">received<") {
		f.t.Errorf("the timeline has %d attempts, want 3", n)
	}
	f.receiver.answers(nil)
	f.replayOf(p, query+"&rate=100")
	if page = p.page("/events/" + e.ID.String()); strings.Contains(page, `<details class="attempt" open>`) {
		f.t.Error("a failure is open although the event was delivered afterwards")
	}
}

// awaitEnd waits until the replay with this page is done.
func (f *fixture) awaitEnd(location string) {
	f.t.Helper()
	id, err := uuid.Parse(strings.TrimPrefix(location, "/replays/"))
	if err != nil {
		f.t.Fatalf("%q is not the page of a replay", location)
	}
	f.awaitReplay(id)
}
