package console_test

import (
	"encoding/csv"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/browsertest"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// deliveriesFixture has two endpoints, and a replay of four events to crm: two were delivered, one was refused for its
// phone number, and for one the database was locked.
func deliveriesFixture(t *testing.T) (f *fixture, events []event.Event, replayed uuid.UUID) {
	billing := replay.DefaultEndpoint("billing", newReceiver(t).URL)
	billing.AllowPrivate = true
	f = newFixture(t, billing)
	for i, name := range []string{"Анна Петрова", "Иван", "Мария", "Олег"} {
		events = append(events, newLead(fmt.Sprint(i), name, time.Duration(i+1)*time.Minute))
	}
	f.insert(events...)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Hooktape-Event-Id") {
		case events[0].ID.String():
			http.Error(w, "phone 79001234567 is wrong", http.StatusUnprocessableEntity)
		case events[1].ID.String():
			http.Error(w, "the database is locked", http.StatusServiceUnavailable)
		}
	})
	return f, events, f.replayOf(f.login(replaySecret), "since=1h&endpoint=crm")
}

var deliveryRow = regexp.MustCompile(`hx-get="/deliveries/([0-9a-f-]{36})-[0-9a-f]{8}"`)

// delivered returns the ids of the events in a list of deliveries.
func deliveredIn(page string) (ids []string) {
	for _, match := range deliveryRow.FindAllStringSubmatch(page, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// TestDeliveries checks the list of deliveries on its page, on that of a replay and on that of an endpoint.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	f, events, replayed := deliveriesFixture(t)
	p := f.login(replaySecret)
	ofReplay, ofCRM := "/replays/"+replayed.String(), "/endpoints/crm"
	other := f.replayOf(p, "id="+events[2].ID.String()+"&endpoint=billing")
	for path, want := range map[string][]int{
		"/deliveries":                     {0, 1, 2, 2, 3},
		"/deliveries?endpoint=billing":    {2},
		"/deliveries?state=failed":        {0, 1},
		"/deliveries?status_code=5xx":     {1},
		"/deliveries?replay=live":         nil,
		ofReplay:                          {0, 1, 2, 3},
		ofReplay + "?state=delivered":     {2, 3},
		"/replays/" + other.String():      {2},
		ofCRM:                             {0, 1, 2, 3},
		ofCRM + "?state=failed&since=1h":  {0, 1},
		"/endpoints/billing?state=failed": nil,
		ofCRM + "?from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z": nil,
	} {
		var ids []string
		for _, i := range want {
			ids = append(ids, events[i].ID.String())
		}
		page := p.page(path)
		if got := deliveredIn(page); strings.Join(got, " ") != strings.Join(ids, " ") {
			t.Errorf("%s lists %v, want %v", path, got, ids)
		}
		if strings.Contains(page, "No delivery matches") != (want == nil) {
			t.Errorf("%s: the list is empty: %t", path, want != nil)
		}
	}
	page := p.page(ofReplay)
	for _, want := range []string{"completed with 2 failures", "2 of 4 delivered", "phone # is wrong",
		"the database is locked", "Анна Петрова"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of the replay has no %q", want)
		}
	}
	if strings.Contains(page, "No event matches") || strings.Contains(page, "100.0 %") ||
		strings.Contains(page, `label good">completed`) {
		t.Error("the page of a replay with failures looks like a success")
	}
	if page = p.page("/replays"); !strings.Contains(page, `label bad">completed with 2 failures`) ||
		!strings.Contains(page, `label good">completed<`) {
		t.Error("the list of replays does not tell a success from failures")
	}
	group := linkIn(p.page("/deliveries"), `data-label="Deliveries"><a href="`)
	if got := deliveredIn(p.page(group)); len(got) != 1 {
		t.Errorf("the first group %s has %v", group, got)
	}
	attempts := p.get("/deliveries/"+deliveryIDs(p.page("/deliveries?status_code=503"))[0], "HX-Request", "true")
	if n := strings.Count(attempts.body, `<details class="attempt"`); n != 2 ||
		!strings.Contains(attempts.body, "the database is locked") {
		t.Errorf("a row opens %d attempts: %s", n, attempts.body)
	}
	for path, status := range map[string]int{"/deliveries?stat=failed": 422, "/deliveries?state=done": 422,
		"/deliveries?endpoint=&state=%zz": 422, "/accept?id=%zz": 422, "/?f.step=&step=%zz": 422,
		ofReplay + "?replay=live": 422, ofCRM + "?endpoint=billing": 422, "/deliveries/x": 404, "/deliveries/" +
			uuid.NewString() + "-00000000": 404, "/endpoints/nowhere": 404, "/deliveries?cursor=x": 422} {
		if a := p.get(path); a.status != status {
			t.Errorf("%s: %d, want %d", path, a.status, status)
		}
	}
	for _, name := range []string{"from", "last_attempt_until"} {
		a := p.get("/deliveries?" + name + "=2026-01-31T13:00:00+03:00")
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(html.UnescapeString(a.body),
			`invalid time "2026-01-31T13:00:00 03:00": want one such as 2026-01-31T13:00:00+03:00`) {
			t.Errorf("a plus sign in %s that became a space: %d", name, a.status)
		}
	}
	form := "/deliveries?endpoint=&from=2026-01-31T13:00&until=2026-01-31T13:00&status_code=&state=failed"
	if got := p.get(form).header.Get("Location"); got != "/deliveries?from=2026-01-31T13%3A00%3A00Z&state=failed&until=2026-01-31T13%3A00%3A00Z" {
		t.Errorf("the form leads to %s", got)
	}
	text := strings.TrimPrefix(p.get("/deliveries.csv?state=failed").body, api.ByteOrderMark)
	if records, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || len(records) != 3 {
		t.Errorf("the CSV has %d records, %v", len(records), err)
	}
	if n := strings.Count(p.get("/deliveries.ndjson?state=failed").body, "\n"); n != 2 {
		t.Errorf("the NDJSON has %d lines", n)
	}
}

// deliveryIDs returns the ids of the deliveries in a list.
func deliveryIDs(page string) (ids []string) {
	for _, match := range regexp.MustCompile(`hx-get="/deliveries/([0-9a-f-]{45})"`).FindAllStringSubmatch(page, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// TestWorstFirst verifies the order of an event's endpoints: what failed is not cut off in a list, and a page proposes
// to send the event again where it failed, not where hooktape tries again by itself.
func TestWorstFirst(t *testing.T) {
	t.Parallel()
	states := []struct {
		endpoint string
		state    event.DeliveryState
	}{{"archive", event.Retrying}, {"billing", event.Delivered}, {"crm", event.Failed}, {"mailer", event.Pending},
		{"stats", event.Cancelled}}
	var summaries []api.DeliverySummary
	var deliveries []console.Delivery
	for _, s := range states {
		summaries = append(summaries, api.DeliverySummary{Endpoint: s.endpoint, State: s.state})
		d := console.Delivery{Attempts: []console.Attempt{{}}}
		d.Endpoint, d.State = s.endpoint, s.state
		deliveries = append(deliveries, d)
	}
	var order []string
	for _, s := range console.WorstFirst(summaries) {
		order = append(order, s.Endpoint)
	}
	if got := strings.Join(order, " "); got != "crm archive mailer stats billing" {
		t.Errorf("the list shows %s", got)
	}
	if got := strings.Join(console.OpenFailures(deliveries), " "); got != "crm stats archive mailer" {
		t.Errorf("the page proposes %s", got)
	}
}

// TestLastError: an endpoint's last error is unresolved until its event was delivered.
func TestLastError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "closed", http.StatusBadRequest) })
	p := f.login(replaySecret)
	f.replayOf(p, "id="+e.ID.String()+"&endpoint=crm")
	if page := p.page("/endpoints"); !strings.Contains(page, "not delivered since") ||
		!strings.Contains(page, "400 Bad Request") || !strings.Contains(page, "Latency p50") {
		t.Errorf("the page of endpoints is %s", page)
	}
	f.receiver.answers(nil)
	f.replayOf(p, "id="+e.ID.String()+"&endpoint=crm&rate=9")
	if page := p.page("/endpoints"); !strings.Contains(page, "resolved: delivered <time") {
		t.Errorf("after the delivery the page of endpoints is %s", page)
	}
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "closed", http.StatusBadRequest) })
	f.replayOf(p, "id="+e.ID.String()+"&endpoint=crm&mode=all")
	if page := p.page("/endpoints"); !strings.Contains(page, "not delivered since") {
		t.Errorf("after a failure that followed the delivery the page of endpoints is %s", page)
	}
}

// clicks counts the clicks of a task in a browser.
type clicks struct {
	*browsertest.Browser
	n int
}

func (c *clicks) Click(selector string) {
	c.n++
	c.Browser.Click(selector)
}

// TestDidTheLeadArrive: from the start page it takes a search to see that a lead reached us and, in a second attempt,
// the CRM.
func TestDidTheLeadArrive(t *testing.T) {
	t.Parallel()
	f, events, _ := deliveriesFixture(t)
	f.receiver.answers(nil)
	f.replayOf(f.login(replaySecret), "id="+events[0].ID.String()+"&endpoint=crm")
	b := &clicks{Browser: f.browserOnList(readSecret)}
	b.AwaitText("#rows", "Анна Петрова")
	b.Click("#q")
	b.Run(chromedp.KeyEvent("Анна Петрова\r"))
	b.Await(`document.querySelectorAll('#rows tr').length === 1`)
	b.AwaitText("#rows tr .c-verdict", "accepted")
	b.AwaitText("#rows tr .c-deliveries", "crm delivered")
	if b.n > 3 {
		t.Errorf("it took %d clicks", b.n)
	}
	f.assertClean(b.Browser)
}

// TestResendAnOutage: everything that failed at the CRM between 1 and 3 is sent again in three clicks from the start
// page, and nothing else.
func TestResendAnOutage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	at := func(hour, minute int) time.Time {
		return time.Date(yesterday.Year(), yesterday.Month(), yesterday.Day(), hour, minute, 0, 0, time.UTC)
	}
	missed, before := map[string]bool{}, newLead("before", "Иван", time.Since(at(0, 30)))
	events := []event.Event{before}
	for i := range 12 {
		e := newLead(fmt.Sprint(i), "Анна", time.Since(at(1, 5+9*i)))
		missed[e.ID.String()] = true
		events = append(events, e)
	}
	f.insert(events...)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusServiceUnavailable
		if r.Header.Get("X-Hooktape-Event-Id")[35] < '8' {
			status = http.StatusBadRequest // another group
		}
		http.Error(w, "down", status)
	})
	f.replayOf(f.login(replaySecret), "source=demo&endpoint=crm")
	var sent sync.Map
	f.receiver.answers(func(_ http.ResponseWriter, r *http.Request) {
		sent.Store(r.Header.Get("X-Hooktape-Event-Id"), true)
	})

	b := &clicks{Browser: f.browser(replaySecret)}
	b.Run(emulation.SetTimezoneOverride("UTC"))
	b.Open(f.url + "/")
	b.AwaitText(".zone", "UTC")
	b.Click(`nav a[href="/deliveries"]`)
	b.AwaitText("#groups", "Retry all 13")
	b.Click(`[name=from]`)
	b.Run(chromedp.SetValue("[name=from]", at(1, 0).Format("2006-01-02T15:04"), chromedp.ByQuery),
		chromedp.SetValue("[name=until]", at(3, 0).Format("2006-01-02T15:04"),
			chromedp.ByQuery), chromedp.Submit(".fields", chromedp.ByQuery))
	b.AwaitText("#groups", "Retry all 12")
	b.Click("#groups .primary")
	b.AwaitText("#progress", "completed")
	b.AwaitText("#progress", "12 of 12 delivered")
	if b.n > 3 {
		t.Errorf("it took %d clicks", b.n)
	}
	for id := range missed {
		if _, ok := sent.Load(id); !ok {
			t.Errorf("event %s was not sent again", id)
		}
	}
	if _, ok := sent.Load(before.ID.String()); ok {
		t.Error("an event of another time was sent again")
	}
	b.AwaitText(".facts", "failures of another replay")
	f.assertClean(b.Browser)
}

// TestRetryDeliveries retries a failure group, selected rows, and nothing that is delivered.
func TestRetryDeliveries(t *testing.T) {
	t.Parallel()
	f, events, _ := deliveriesFixture(t)
	f.receiver.answers(nil)
	p := f.login(replaySecret)
	page := p.page("/deliveries")
	_, group, _ := strings.Cut(page, `<table class="list failures">`)
	field := func(text, name string) string { return linkIn(text, `name="`+name+`" value="`) }
	form := url.Values{"key": {field(group, "key")}, "query": {field(group, "query")}, "group": {field(group, "group")}}
	first := p.post("/deliveries/retry", form)
	f.awaitEnd(first.header.Get("Location"))
	if again := p.post("/deliveries/retry", form); again.header.Get("Location") != first.header.Get("Location") {
		t.Errorf("the form, sent twice, leads to %q, not to %q", again.header.Get("Location"),
			first.header.Get("Location"))
	}
	if page := p.page("/deliveries"); !strings.Contains(page, "<small>1 resolved</small>") ||
		!strings.Contains(page, "Retry all 1<") {
		t.Error("the group does not say that it is resolved")
	}
	for _, query := range []string{field(p.page("/deliveries?since=1h"), "query"), field(group, "query")} {
		if values, err := url.ParseQuery(html.UnescapeString(query)); err != nil || values.Has("since") ||
			!values.Has("from") {
			t.Errorf("a form keeps the relative time of %q", query)
		}
	}
	if plan := p.page(linkIn(p.page(first.header.Get("Location")), `class="tools"><a class="button" href="`)); !strings.Contains(
		plan, "The events of <a") || !strings.Contains(plan, "Already delivered</dt><dd>1<") {
		t.Errorf("planned again: %s", plan)
	}
	if got := deliveredIn(p.page(first.header.Get("Location"))); len(got) != 1 {
		t.Errorf("the group's replay has %v", got)
	}
	for i, e := range events {
		want := 1
		if i == 1 {
			want = 2 // its status is tried twice
		}
		if n := f.receiver.requests(e.ID); n != want && n != want+1 || i > 1 && n != 1 {
			t.Errorf("event %d was sent %d times", i, n)
		}
	}
	delivered := deliveryIDs(p.page("/deliveries?state=delivered"))
	if a := p.post("/deliveries/retry", url.Values{"key": {"delivered"},
		"id": delivered}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("delivered ones: %d %s", a.status, a.body)
	}
	for _, form := range []url.Values{{"key": {"none"}}, {"key": {"bad"}, "id": {"x"}},
		{"key": {"all"}, "matching": {"1"}, "query": {""}},
		{"key": {"misspelt"}, "matching": {"1"}, "query": {"state=done"}}} {
		if a := p.post("/deliveries/retry", form); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d", form, a.status)
		}
	}
	if a := f.login(readSecret).post("/deliveries/retry",
		url.Values{"id": delivered}); a.status != http.StatusForbidden {
		t.Errorf("a reader: %d", a.status)
	}
	if page := f.login(readSecret).page("/deliveries"); strings.Contains(page, "/deliveries/retry") {
		t.Error("a reader is offered a retry")
	}
}

// TestWaiting: a paused endpoint says who paused it and why, wherever its deliveries wait, and the button resumes it. A
// list says it once.
func TestWaiting(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e, newLead("8", "Борис", 2*time.Minute))
	p := f.login(replaySecret)
	if a := p.post("/endpoints/crm/pause",
		url.Values{"reason": {"release <b>of the CRM"}}); a.status != http.StatusSeeOther {
		t.Fatalf("pause: %d", a.status)
	}
	created := p.post("/replays?since=1h&endpoint=crm", url.Values{"key": {"waiting"}}).header.Get("Location")
	for _, path := range []string{created, "/deliveries", "/events/" + e.ID.String(), "/endpoints"} {
		testutil.Eventually(t, func() error {
			page := p.page(path)
			_, note, _ := strings.Cut(page, `class="note doubt waiting"`)
			note, _, _ = strings.Cut(note, "</div>")
			if !strings.Contains(note, "release &lt;b&gt;of the CRM") || !strings.Contains(note, "replayer") ||
				!strings.Contains(note, `action="/endpoints/crm/resume"`) {
				return fmt.Errorf("%s says %s", path, note)
			}
			return nil
		})
	}
	if page := p.page("/deliveries"); strings.Count(page, "release &lt;b&gt;") != 1 ||
		strings.Count(page, "waits for the same reason as above") != 1 {
		t.Error("the list of deliveries does not say once why two wait")
	}
	if n := strings.Count(p.page("/endpoints"), `action="/endpoints/crm/resume"`); n != 1 {
		t.Errorf("the page of endpoints has %d buttons to resume one", n)
	}
	p.web.Jar.SetCookies(nil, []*http.Cookie{{Name: "hooktape_zone", Value: url.QueryEscape("Asia/Kathmandu")}})
	_, sentence, _ := strings.Cut(html.UnescapeString(p.page(created)), "crm was paused at ")
	paused, _, _ := strings.Cut(sentence, ": ")
	if at, err := time.Parse("2006-01-02 15:04:05 -07:00", paused); err != nil || !strings.HasSuffix(paused, " +05:45") ||
		time.Since(at).Abs() > 2*testutil.Patience {
		t.Errorf("the endpoint was paused at %.60s, %v", paused, err)
	}
	b := f.browser(replaySecret)
	b.Open(f.url + created)
	b.Click(".waiting button")
	b.AwaitText("h1", "Endpoints")
	f.awaitEnd(created)
	b.Open(f.url + created)
	b.AwaitText("#progress", "2 of 2 delivered")
	f.assertClean(b)

	// Of two replays that are paused for one reason, each can be resumed.
	var resumes []string
	for i := range 2 {
		created := p.post(fmt.Sprintf("/replays?since=1h&endpoint=crm&mode=all&rate=0.0%d", i+1),
			url.Values{"key": {"paused " + fmt.Sprint(i)}, "confirmed": {"1"}}).header.Get("Location")
		p.post(created+"/pause", url.Values{"reason": {"lunch"}})
		resumes = append(resumes, `action="`+created+`/resume"`)
	}
	testutil.Eventually(t, func() error {
		page := p.page("/deliveries?state=pending")
		for _, resume := range resumes {
			if !strings.Contains(page, resume) {
				return fmt.Errorf("the list lacks %s", resume)
			}
		}
		return nil
	})
}
