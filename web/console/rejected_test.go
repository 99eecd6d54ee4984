package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/browsertest"
)

// newRejected returns a rejected request as the drain stores it: without parsed fields.
func newRejected(verdict event.Verdict, body string, declared int, ago time.Duration) event.Event {
	e := newEvent(body, ago)
	e.Verdict, e.Kind = verdict, event.KindUnknown
	e.Headers = append(e.Headers, event.Header{Name: "Content-Length", Value: strconv.Itoa(declared)})
	return e
}

// clicker counts the clicks of a person.
type clicker struct {
	*browsertest.Browser
	clicks int
}

func (c *clicker) click(selector string) {
	c.clicks++
	c.Click(selector)
}

// TestAcceptRejected does the task "What was rejected in the last hour and why; accept the lead among them" in three
// clicks from the start page. The lead then arrives at the CRM.
func TestAcceptRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	body := `{"bothelp_user_id":47659,"name":"Анна Петрова","phone":"+79161234567","utm_source":"vk"}`
	lead := newRejected(event.BadToken, body, len(body), 20*time.Minute)
	f.insert(newLead("7", "Иван", 5*time.Minute), lead,
		newRejected(event.TooLarge, strings.Repeat("x", 64<<10), 2202009,
			30*time.Minute), newRejected(event.UnknownSource, "{}", 2, 90*time.Minute),
		newRejected(event.Malformed, "\x16\x03\x01", 3, 40*time.Minute))
	b := &clicker{Browser: f.browserOnList(adminSecret)}
	b.AwaitText(".recent", "3 rejected in the last hour")
	b.click(".recent")
	b.AwaitText("#rows", "The token in the URL is wrong")
	b.AwaitText("#rows", "64 KiB of 2.1 MiB kept")
	row := "#e-" + lead.ID.String()
	for _, want := range []string{"Анна Петрова", "+79161234567", "192.0.2.1"} {
		b.AwaitText(row, want)
	}
	if page := f.login(adminSecret).page("/events/" + lead.ID.String()); strings.Contains(page, "replay it to") ||
		!strings.Contains(page, "rejected requests are not delivered") {
		t.Error("the page of a rejected request proposes a replay without its form")
	}
	b.click(row + " .c-accept a")
	b.AwaitText("main", "The token in the URL is not the source's.")
	b.Await(`document.querySelectorAll('input[name=id]:checked').length === 1`)
	b.click("form[action='/accept'] button.primary")
	b.AwaitText("main", "Accepted by boss")
	if b.clicks > 3 {
		t.Errorf("the task took %d clicks", b.clicks)
	}
	b.AwaitText("main", "Rejected at first, because the token in the URL is wrong.")
	b.AwaitText("h1", "Анна Петрова")
	p := f.login(adminSecret)
	page := p.page("/?rejected=true&since=1h")
	if strings.Contains(page, lead.ID.String()) || len(listed(page)) != 2 ||
		!strings.Contains(page, "2 rejected in the last hour") {
		t.Error("an accepted request is still in the list of rejected ones")
	}
	if page := p.page("/?utm_source=vk&verdict=accepted&text=" +
		url.QueryEscape("ПЕТРОВА")); !slices.Equal(listed(page), []string{lead.ID.String()}) ||
		!strings.Contains(page, ">boss<") {
		t.Error("the accepted lead is not found by its fields, or not marked")
	}
	// Accepting it again sends it again. The first person stays the one who accepted it.
	a := p.post("/accept", url.Values{"id": {lead.ID.String()}, "to": {"crm"}, "key": {"k"}})
	if !strings.HasPrefix(a.header.Get("Location"), "/replays/") {
		t.Fatalf("accepting and sending: %d %s", a.status, a.body)
	}
	testutil.Eventually(t, func() error {
		if events, requests := f.receiver.count(); events != 1 || requests != 1 {
			return fmt.Errorf("the CRM got %d events in %d requests", events, requests)
		}
		return nil
	})
	f.assertClean(b.Browser)
}

// testAcceptRoles verifies that only admins see the page and may accept, and that an incomplete request is refused.
func (f *fixture) testAcceptRoles() {
	t := f.t
	cut := newRejected(event.BadToken, `{"name":"Ол`, 99, 3*time.Hour)
	whole := newRejected(event.BadToken, `{"name":"Олег"}`, 16, 3*time.Hour)
	whole.Headers[len(whole.Headers)-1].Value = strconv.Itoa(len(whole.Body))
	f.insert(cut, whole)
	for _, weak := range []string{readSecret, replaySecret} {
		p := f.login(weak)
		if a := p.get("/accept?id=" + whole.ID.String()); a.status != http.StatusForbidden {
			t.Errorf("the page without the role: %d", a.status)
		}
		if a := p.post("/accept", url.Values{"id": {whole.ID.String()}}); a.status != http.StatusForbidden {
			t.Errorf("accepting without the role: %d", a.status)
		}
		if page := p.page("/?rejected=true&id=" + whole.ID.String()); !strings.Contains(page, "Needs the role admin") {
			t.Error("the list does not name the role")
		}
	}
	p := f.login(adminSecret)
	for body, want := range map[string]string{"id=" + cut.ID.String(): "only the start of its body is stored",
		"id=x": "invalid event id", "": "no request is chosen"} {
		form, _ := url.ParseQuery(body)
		if a := p.post("/accept", form); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, want) {
			t.Errorf("accepting %q: %d", body, a.status)
		}
	}
	if page := p.page("/accept?id=" + cut.ID.String()); !strings.Contains(page,
		"None of these requests can be accepted.") {
		t.Error("the page offers to accept an incomplete body")
	}
}

// TestSelected verifies that the bar shows the number of selected rows, and that its buttons apply to these, or to all
// matching events.
func TestSelected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newLead("1", "Анна", time.Minute), newLead("2", "Иван", 2*time.Minute),
		newLead("3", "Олег", 3*time.Minute))
	b := f.browser(replaySecret)
	b.Open(f.url + "/?source=demo")
	scripted(b)
	b.Await(`document.querySelector('#count').hidden`)
	b.Run(chromedp.Click("#rows tr:nth-child(1) input", chromedp.ByQuery),
		chromedp.Click("#rows tr:nth-child(3) input", chromedp.ByQuery))
	b.AwaitText("#count", "2 selected")
	b.Await(`getComputedStyle(document.querySelector('.selected')).position === 'sticky'`)
	b.Click(".selected button[type=reset]")
	b.Await(`document.querySelector('#count').hidden && !document.querySelector('#rows input:checked')`)
	b.Click("#rows input")
	b.Click("#replay-chosen")
	b.AwaitText("h2", "New replay")
	b.Await(`new URLSearchParams(location.search).getAll('id').length === 1`)
	b.Open(f.url + "/?source=demo")
	b.AwaitText("#total", "(3)")
	b.Click(".selected input[name=matching]")
	b.Click("#replay-chosen")
	b.Await(`location.pathname === '/replays' && location.search === '?source=demo'`)
	p := f.login(readSecret)
	for query, want := range map[string]string{"do=csv": "no event is selected", "do=explode&id=1": "unknown action"} {
		if a := p.get("/events/selected?" + query); a.status != http.StatusUnprocessableEntity ||
			!strings.Contains(a.body, want) {
			t.Errorf("%s: %d", query, a.status)
		}
	}
	f.assertClean(b)
}

// TestSearchLimitsAreShown verifies that a search that finds nothing within its limits names them, and links to the
// search without them.
func TestSearchLimitsAreShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	old := newLead("7", "Анна Пётрова", 48*time.Hour)
	f.insert(old, newLead("8", "Иван", time.Minute))
	b := f.browser(readSecret)
	b.Open(f.url + "/?since=24h&step=other")
	b.Run(chromedp.SendKeys("#q", "ПЕТРОВА анна\r", chromedp.ByQuery))
	b.AwaitText("main", "Nothing matches “ПЕТРОВА анна” in the last 24h.")
	b.Await(`document.querySelector('#q').value === 'ПЕТРОВА анна'`)
	b.Run(chromedp.Click(`a[href="/?text=`+strings.ReplaceAll(url.QueryEscape("ПЕТРОВА анна"), "%20", "+")+`"]`,
		chromedp.ByQuery))
	b.AwaitText("table.events", "Анна Пётрова")
	b.Run(chromedp.SetValue("#q", "Иван", chromedp.ByQuery), chromedp.Submit("#q", chromedp.ByQuery))
	b.AwaitText("table.events", "Иван")
	b.Await(`new URLSearchParams(location.search).getAll('text').join() === 'Иван'`)
	f.assertClean(b)
}

// TestSuggestions verifies that the filters suggest values from the data when they open, and keep the chosen ones.
func TestSuggestions(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	e.UTMSource, e.Step = `"><b>vk</b>`, "вебинар"
	removed := newLead("9", "Мария", time.Minute)
	removed.Source, removed.Step = "removed", "start"
	f.insert(e, newLead("8", "Иван", time.Minute), removed)
	b := f.browser(readSecret)
	b.Open(f.url + "/?step=paid&step=start")
	b.Click(".filters summary")
	b.Await(`[...document.querySelectorAll('#suggest-utm_source option')].map(o => o.value).sort().join() === '"><b>vk</b>,vk'`)
	b.Await(`document.querySelector('input[name="f.step"][list]').list.querySelector('option[value="вебинар"]')`)
	b.Await(`document.querySelectorAll('input[name="f.step"][value=paid]').length === 1`)
	b.Await(`[...document.querySelectorAll('input[name="f.source"][type=checkbox]')].map(i => i.value).join() === 'demo,price,removed'`)
	b.Run(chromedp.Click(`input[name="f.step"][value=start]`, chromedp.ByQuery),
		chromedp.Click(`input[name="f.step"][value="вебинар"]`, chromedp.ByQuery),
		chromedp.Click(`input[name="f.utm_source"][value=vk]`, chromedp.ByQuery),
		chromedp.SendKeys(`input[name="f.utm_source"][list]`, `"><b>vk</b>`, chromedp.ByQuery),
		chromedp.Submit(".filters form", chromedp.ByQuery))
	b.Await(`new URLSearchParams(location.search).getAll('step').sort().join() === 'paid,вебинар'`)
	b.Await(`new URLSearchParams(location.search).getAll('utm_source').length === 2`)
	b.Await(`document.querySelectorAll('#rows tr').length === 2`)
	f.assertClean(b)
}

// TestSavedViews verifies that a view can be saved from the list, is a link for everybody, and can be deleted.
func TestSavedViews(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newLead("7", "Анна", time.Minute), newLead("8", "Иван", time.Minute))
	b := f.browser(replaySecret)
	b.Open(f.url + "/?subscriber=7&step=paid")
	b.Click("summary.save")
	b.Run(chromedp.SendKeys("input[name=name]", hostile["image"]+"\r", chromedp.ByQuery))
	b.AwaitText(".views", hostile["image"])
	b.Await(`document.querySelector('.views [aria-current]') && location.search === '?step=paid&subscriber=7'`)
	reader := f.login(readSecret)
	if page := reader.page("/"); linkIn(page, `aria-label="Saved views"><a href="`) != "/?step=paid&subscriber=7" ||
		strings.Contains(page, "Save view") {
		t.Error("a reader does not see the view, or may save one")
	}
	for path, form := range map[string]url.Values{"/views": {"name": {"x"}},
		"/views/delete": {"name": {hostile["image"]}}} {
		if a := reader.post(path, form); a.status != http.StatusForbidden {
			t.Errorf("a reader may post to %s: %d", path, a.status)
		}
	}
	p := f.login(replaySecret)
	for body, want := range map[string]string{"name=+": "invalid name", "name=x&query=sinse%3D1h": "there is no filter",
		"name=x&query=since%3Dtomorrow": "invalid duration", "name=x&query=where%3D1": "where needs the role admin",
		"name=a%2Fb": "without a slash", "name=" + strings.Repeat("x", 61): "invalid name"} {
		form, _ := url.ParseQuery(body)
		if a := p.post("/views", form); a.status/100 != 4 || !strings.Contains(a.body, want) {
			t.Errorf("saving %q: %d", body, a.status)
		}
	}
	for path, query := range map[string]string{"/views": "step=other", "/views/delete": ""} {
		form := url.Values{"name": {hostile["image"]}, "query": {query}}
		if a := p.post(path, form); a.status != http.StatusOK || !strings.Contains(a.body, "Everybody uses the view") {
			t.Errorf("%s takes a view from everybody without a question: %d", path, a.status)
		}
	}
	b.Click("summary.save")
	b.Click(`form[action="/views/delete"] button`)
	b.AwaitText("#confirm", "Everybody uses the view")
	b.Click("#confirm button")
	b.Await(`document.querySelector('h1') && !document.querySelector('.views')`)
	f.assertClean(b)
}
