package console_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/web/api"
	"hooktape/web/console"
)

var eventRow = regexp.MustCompile(`<tr id="e-([0-9a-f-]{36})"`)

// listed returns the ids of the events on a page, in order.
func listed(page string) (ids []string) {
	for _, match := range eventRow.FindAllStringSubmatch(page, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

// TestFilters verifies that each filter of the API works in the console's address under the same name, and has a chip
// that removes it.
func TestFilters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	wanted := newLead("7", "Анна Петрова", 10*time.Minute)
	wanted.Source = "course"
	wanted.Step = "paid"
	wanted.MessengerUserID = "777"
	wanted.UTMMedium = "cpc"
	wanted.UTMCampaign = "осень"
	wanted.UTMContent = "a&b"
	wanted.UTMTerm = ""
	other := newLead("8", "Иван", 5*time.Minute)
	other.Step = "start"
	other.Kind = event.KindUnknown
	other.Verdict = event.BadToken
	other.Channel = "vk"
	other.UTMSource = "google"
	other.Fields = nil
	other.UTMTerm, other.Body = "term", []byte("else")
	f.insert(wanted, other)
	p := f.login(adminSecret)
	at := wanted.ReceivedAt.Add(time.Second).Format(time.RFC3339)
	for _, query := range []string{"source=course", "step=paid", "kind=flow", "verdict=accepted", "channel=telegram",
		"subscriber=7", "subscriber=777", "utm_source=vk", "utm_medium=cpc", "utm_campaign=" + url.QueryEscape("осень"),
		"utm_content=a%26b", "utm_term=", "field=" + url.QueryEscape("Доп данные=оплатила"),
		"text=" + url.QueryEscape("Петров"), "id=" + wanted.ID.String(), "until=" + url.QueryEscape(at),
		"to=" + url.QueryEscape(at), "where=" + url.QueryEscape("name LIKE 'Анна%'"), "since=1h&verdict=accepted"} {
		page := p.page("/?" + query)
		if got := listed(page); !slices.Equal(got, []string{wanted.ID.String()}) {
			t.Errorf("%s lists %v", query, got)
		}
		if !strings.Contains(page, `aria-label="Remove the filter`) {
			t.Errorf("%s shows no chip", query)
		}
	}
	if got := listed(p.page("/")); !slices.Equal(got, []string{other.ID.String(), wanted.ID.String()}) {
		t.Errorf("got the list %v, want the newest first", got)
	}
	for query, status := range map[string]int{"sinse=1h": 422, "since=tomorrow": 422, "kind=nothing": 422, "id=1": 422,
		"cursor=x": 422, "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": 422, "text=a&text=b": 422,
		"until=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z": 422, "until=2026-01-31T13:00:00+03:00": 422,
		"f.until=2026-01-31T13:00:00+03:00": 422, "f.from=2026-01-31T13:00x": 422} {
		if a := p.get("/?" + query); a.status != status {
			t.Errorf("%s: %d, want %d", query, a.status, status)
		}
	}
	for form, want := range map[string]string{"f.q=" + url.QueryEscape("step:paid"): "/?step=paid",
		"f.q=" + wanted.ID.String():                "/events/" + wanted.ID.String(),
		"f.q=a+b&source=course":                    "/?source=course&text=a+b",
		"f.source=course&f.kind=&f.step=&f.since=": "/?source=course",
		"since=1h&f.from=2026-01-01T10:00":         "/?from=2026-01-01T10%3A00%3A00Z", "f.text=": "/",
		"f.verdict=accepted&verdict=accepted": "/?verdict=accepted", "text=a&f.q=b": "/?text=b",
		"since=1h&f.q=since:2h": "/?since=2h", "source=a&f.q=source:b": "/?source=b", "text=a&f.q=": "/",
		"text=a&f.q=step:b": "/?step=b", "f.source=a&f.source=b&f.source=": "/?source=a&source=b",
		"f.rejected=true": "/?rejected=true", "id=" + wanted.ID.String() + "&id=" + other.ID.String() + "&f.q=a": "/?text=a",
		"f.q=step:+paid+": "/?step=paid", "from=2026-01-01T00:00:00Z&f.from=&f.until=": "/", "since=1h&f.from=": "/?since=1h",
		"f.from=2026-01-31T13:00:05":         "/?from=2026-01-31T13%3A00%3A05Z",
		"f.from=2026-01-31T13:00:05%2B03:00": "/?from=2026-01-31T13%3A00%3A05%2B03%3A00",
		"from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&f.from=2026-01-01T10:00&f.until=2026-01-01T11:00": "/?from=2026-01-01T10%3A00%3A00Z&until=2026-01-01T11%3A00%3A00Z"} {
		for range 5 { // maps have a random order
			if got := p.get("/?" + form).header.Get("Location"); got != want {
				t.Fatalf("the form %s leads to %s, want %s", form, got, want)
			}
		}
	}
}

// TestSearchBox verifies that a lead is found by words in any order and spelling.
func TestSearchBox(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	wanted := newLead("7", "Анна Пётрова", time.Minute)
	f.insert(wanted, newLead("8", "Анна", time.Minute))
	p := f.login(readSecret)
	for _, text := range []string{"петрова АННА", `"анна петрова"`, "https://t.me/anna_p 7 петрова"} {
		if got := listed(p.page("/?text=" + url.QueryEscape(text))); !slices.Equal(got, []string{wanted.ID.String()}) {
			t.Errorf("%s finds %v", text, got)
		}
	}
}

// TestPages verifies that following the links from page to page while events arrive shows each event once.
func TestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var events []event.Event
	for i := range 120 {
		e := newEvent("{}", time.Hour)
		e.ReceivedAt = e.ReceivedAt.Add(time.Duration(i/7) * time.Second) // seven with the same time
		events = append(events, e)
	}
	f.insert(events...)
	p := f.login(readSecret)
	var got []string
	for path := "/?source=demo"; path != ""; {
		page := p.page(path)
		got = append(got, listed(page)...)
		f.insert(newEvent("{}", 0))
		_, rest, ok := strings.Cut(page, `<a class="button" href="`)
		for ok && !strings.Contains(rest[:strings.Index(rest, "</a>")], `rel="next"`) {
			_, rest, ok = strings.Cut(rest, `<a class="button" href="`)
		}
		path = ""
		if ok {
			path, _, _ = strings.Cut(strings.ReplaceAll(rest, "&amp;", "&"), `"`)
		}
	}
	if seen := slices.Compact(slices.Sorted(slices.Values(got))); len(got) != 120 || len(seen) != 120 {
		t.Errorf("%d rows, %d events of 120", len(got), len(seen))
	}
}

// TestSearchGoesOn verifies that the page's script continues a full scan until it finds a rare, old event.
func TestSearchGoesOn(t *testing.T) {
	console.ShortenSteps(t)
	f := newFixture(t)
	f.insert(newLead("1", "Первая", 40*time.Hour), newLead("2", "Вторая", 20*time.Hour),
		newLead("3", "Третья", time.Hour))
	b := f.browser(readSecret)
	b.Open(f.url + "/?text=" + url.QueryEscape("ервая"))
	b.AwaitText("table.events", "Первая")
	b.AwaitText("#further", "The search is complete.")
	b.Open(f.url + "/?text=nothing+has+this")
	b.AwaitText("#further", "No event matches")
	f.assertClean(b)
}

// TestSearchFillsPage verifies that a full scan that fills the page between two steps continues on the page of older
// events.
func TestSearchFillsPage(t *testing.T) {
	console.ShortenSteps(t)
	f := newFixture(t)
	events := []event.Event{newLead("old", "Первая", 40*time.Hour)}
	for i := range 50 {
		events = append(events, newLead(fmt.Sprint(i), "Первая", time.Hour))
	}
	f.insert(events...)
	p, query := f.login(readSecret), "text="+url.QueryEscape("ервая")
	page := p.page("/?" + query)
	if n := len(listed(page)); n != 50 || strings.Contains(page, "/events/further") {
		t.Errorf("the page has %d rows, continues the scan: %t", n, strings.Contains(page, "/events/further"))
	}
	older := linkIn(page, `<a class="button" href="`)
	for step := 0; older != "" && step < 100; step++ {
		page = p.page(older)
		if older = linkIn(page, `id="further" hx-get="`); slices.Contains(listed(page), events[0].ID.String()) {
			break
		}
	}
	if !slices.Equal(listed(page), []string{events[0].ID.String()}) {
		t.Errorf("the next page has %v, want the 51st event", listed(page))
	}
	if a := p.get("/events/further?" + query + "&found=50"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("continuing a full page: %d %s", a.status, a.body)
	}
}

// linkIn returns the first link of a page after a text, or "".
func linkIn(page, before string) string {
	_, rest, _ := strings.Cut(page, before)
	link, _, _ := strings.Cut(rest, `"`)
	return html.UnescapeString(link)
}

// TestTailLooksBack verifies that the list asks again for events stored shortly before its last request: an insert
// becomes visible when it ends, with the time at which it began.
func TestTailLooksBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	p := f.login(readSecret)
	later := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339Nano) }
	a := p.get("/events/newer?source=demo&after=" + later(3*time.Second))
	if got := listed(a.body); !slices.Equal(got, []string{e.ID.String()}) {
		t.Errorf("a poll three seconds later returned %v", got)
	}
	if after, err := time.Parse(time.RFC3339Nano, a.header.Get("X-Hooktape-After")); err != nil ||
		time.Since(after).Abs() > time.Minute {
		t.Errorf("the next poll starts at %s", a.header.Get("X-Hooktape-After"))
	}
	many := make([]event.Event, 120)
	for i := range many {
		many[i] = newLead("8", "Иван", time.Duration(i)*time.Millisecond)
	}
	f.insert(many...)
	if a := p.get("/events/newer?after=" + later(-time.Minute)); a.header.Get("X-Hooktape-Most") != "100" ||
		len(listed(a.body)) != 100 {
		t.Errorf("a poll of 120 events returned %d, and says at most %s", len(listed(a.body)),
			a.header.Get("X-Hooktape-Most"))
	}
	for _, query := range []string{"after=" + later(time.Minute), "source=nosuch&after=" + later(-time.Minute)} {
		if a := p.get("/events/newer?" + query); a.status != http.StatusNoContent || a.body != "" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

// TestChart verifies that the bars count all events, each in its interval.
func TestChart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	refused := newEvent("", 50*time.Minute)
	refused.Verdict = event.BadToken
	f.insert(newEvent("", 55*time.Minute), newEvent("", 54*time.Minute), newEvent("", time.Minute), refused,
		newEvent("", 25*time.Hour))
	p := f.login(readSecret)
	page := p.page("/?since=1h&chart=1")
	if !strings.Contains(page, "<b>4 events</b>") || !strings.Contains(page, "1 rejected") ||
		!strings.Contains(page, "30 s per bar") || strings.Contains(page, "since=1h&amp;to=") {
		t.Errorf("the chart shows %s", page[strings.Index(page, `class="sum"`):][:300])
	}
	if a := p.get("/events/chart?since=1h", "HX-Request", "true"); !strings.Contains(a.body,
		`<span id="matching" hx-swap-oob="true">All 4 matching:</span>`) {
		t.Errorf("the links for all events get no count: %s", a.body)
	}
	if n := strings.Count(page, `<rect class="all"`); n != 4 {
		t.Errorf("got %d bars", n)
	}
	if a := p.get("/events/chart?since=1h"); a.header.Get("Location") != "/?chart=1&since=1h" {
		t.Errorf("without htmx the chart redirects to %s", a.header.Get("Location"))
	}
}

// testColumns verifies that the browser keeps a choice of columns until it is reset.
func (f *fixture) testColumns() {
	t := f.t
	f.insert(newLead("7", "Анна", time.Minute))
	p := f.login(readSecret)
	if a := p.post("/columns", url.Values{"column": {"kind", "id", "<script>"},
		"query": {"since=1h"}}); a.header.Get("Location") != "/?since=1h" {
		t.Errorf("the choice redirects to %s", a.header.Get("Location"))
	}
	page := p.page("/?since=1h")
	if !strings.Contains(page, `class="c-time"`) || !strings.Contains(page, `class="c-kind"`) ||
		!strings.Contains(page, `class="c-id"`) || strings.Contains(page, `class="c-person"`) ||
		strings.Contains(page, "c-<script") {
		t.Error("the list does not have the chosen columns")
	}
	p.post("/columns", url.Values{"default": {"1"}})
	if page := p.page("/"); !strings.Contains(page, `class="c-person"`) || strings.Contains(page, `class="c-kind"`) {
		t.Error("the list does not have the default columns after the reset")
	}
}

// TestDownloads verifies that both formats have all events of a selection, and that no cell has a formula.
func TestDownloads(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var events []event.Event
	for i := range 2100 { // more than two internal pages
		events = append(events, newLead(fmt.Sprint(i), "Анна", time.Hour+time.Duration(i)*time.Second))
	}
	events[0].Name, events[0].Phone = `=HYPERLINK("http://evil.example")`, "+79001234567"
	f.insert(events...)
	p := f.login(readSecret)
	a := p.get("/events.csv?source=demo")
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment; filename=") ||
		a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the CSV has the name %q", got)
	}
	text, marked := strings.CutPrefix(a.body, api.ByteOrderMark)
	if !marked {
		t.Error("the CSV has no byte order mark, which Excel needs")
	}
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) != 2101 {
		t.Fatalf("the CSV has %d records, %v", len(records), err)
	}
	name := slices.Index(records[0], "name")
	phone := slices.Index(records[0], "phone")
	if records[1][name] != `'=HYPERLINK("http://evil.example")` || records[1][phone] != "+79001234567" ||
		records[2][name] != "Анна" {
		t.Errorf("the first records are %q, %q", records[1], records[2])
	}
	if a := p.get("/events.csv?chosen=1&id=" + events[3].ID.String() + "&id=" +
		events[5].ID.String()); strings.Count(a.body, "\n") != 3 || !strings.Contains(a.body, events[5].ID.String()) {
		t.Errorf("the CSV of two has %d lines", strings.Count(a.body, "\n"))
	}
	if a := p.get("/events.csv?chosen=1"); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, "no event is selected") {
		t.Errorf("the CSV of no events: %d", a.status)
	}
	seen := map[uuid.UUID]bool{}
	for line := range strings.Lines(p.get("/events.ndjson?source=demo").body) {
		var e api.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.ID] = true
	}
	if len(seen) != 2100 {
		t.Errorf("the NDJSON has %d events", len(seen))
	}
}

// testBytes verifies that the body is downloaded unchanged, as a file.
func (f *fixture) testBytes() {
	t := f.t
	raw := "\x00\xff<script>\r\n" + `{"n":1.0}`
	e := newEvent(raw, time.Minute)
	f.insert(e)
	a := f.login(readSecret).get("/events/" + e.ID.String() + "/raw")
	if a.body != raw || a.header.Get("Content-Type") != "application/octet-stream" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment;") ||
		a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("got the bytes %q with the header %v", a.body, a.header)
	}
}

// testCurl runs the page's command in a real shell, with a curl that records its arguments and its input.
func (f *fixture) testCurl() {
	t := f.t
	p := f.login(readSecret)
	dir := t.TempDir()
	fake := filepath.Join(dir, "curl")
	writeFile(t, fake,
		"#!/bin/sh\nfor word; do printf '%s\\0' \"$word\"; done\nfor word; do [ \"$word\" = @- ] && { printf "+
			"'INPUT\\0'; cat; }; done\nexit 0\n")
	for _, body := range []string{`{"name":"O'Brien \\ $HOME"}`, "@/etc/passwd", "two\nlines\n", "nul\x00byte",
		"\x1b[31m\ttab", strings.Repeat("long", 10_000), "", "caf\xe9", strings.Repeat("long", 50_000)} {
		e := newEvent(body, time.Minute)
		e.Query = "a=it's&b=$(id)"
		e.Headers = append(e.Headers, event.Header{Name: "X-Odd", Value: "a\x1bb'c"},
			event.Header{Name: "Connection", Value: "X-Hop"}, event.Header{Name: "X-Hop",
				Value: "1"}, event.Header{Name: "Cookie", Value: "secret"}, event.Header{Name: "X-Empty"})
		f.insert(e)
		page := p.page("/events/" + e.ID.String())
		_, rest, _ := strings.Cut(page, `<pre id="curl" tabindex="0">`)
		text, _, _ := strings.Cut(rest, "</pre>")
		if strings.Contains(text, `class="sign"`) {
			t.Fatalf("the command has characters that cannot be copied: %s", text)
		}
		script := filepath.Join(dir, "script")
		writeFile(t, script, unescape(text))
		command := exec.Command("sh", script)
		command.Env = []string{"PATH=" + dir + ":/usr/bin:/bin"}
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("the shell failed with %v: %s", err, out)
		}
		words := strings.Split(string(out), "\x00")
		has := func(word string) bool { return slices.Contains(words, word) }
		if !has("https://hooks.example.org/hooks/demo/TOKEN/paid?a=it's&b=$(id)") ||
			!has("Content-Type: application/json") || !has("X-Odd: a\x1bb'c") || !has("X-Empty;") {
			t.Errorf("curl got %q", words)
		}
		for _, word := range words {
			if strings.HasPrefix(word, "Authorization") || strings.HasPrefix(word, "Cookie") ||
				strings.HasPrefix(word, "X-Hop") || strings.HasPrefix(word, "Connection") {
				t.Errorf("curl got %q", word)
			}
		}
		if len(body) > 64<<10 {
			if !has("@" + e.ID.String() + ".body") {
				t.Errorf("curl got %q", words)
			}
			continue
		}
		sent, ok := bytes.CutPrefix(out[max(bytes.LastIndex(out, []byte("INPUT\x00")), 0):], []byte("INPUT\x00"))
		if !ok {
			i := slices.Index(words, "--data-raw")
			sent = []byte(words[i+1])
		}
		if string(sent) != body {
			t.Errorf("curl sent %.100q, want %.100q", sent, body)
		}
	}
}

// testSubscriber verifies that the page has the subscriber's changes and links.
func (f *fixture) testSubscriber() {
	t := f.t
	first := newLead("7/8", "Анна", time.Hour)
	second := newLead("7/8", "Анна Петрова", time.Minute)
	second.Fields = map[string]string{"Доп данные": "отказ"}
	second.Phone, second.ProfileLink = "+7900", "javascript:alert(1)"
	f.insert(first, second)
	page := f.login(readSecret).page("/subscribers/7%2F8")
	for _, want := range []string{`https://school.bothelp.io/flow2/people/7%2F8`, "<del><bdi>оплатила</bdi></del>",
		"<ins><bdi>отказ</bdi></ins>", "<del><bdi>Анна</bdi></del>", "59 min later", "+7900", first.ID.String()} {
		if !strings.Contains(strings.ReplaceAll(page, "&#43;", "+"), want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	if strings.Contains(page, `href="javascript`) || strings.Contains(page, "Open in the messenger") {
		t.Error("the page links to a profile that is not a web page")
	}
	// A chat event between the two does not change these fields, and the page of older events shows the known fields,
	// too.
	chat := newLead("7/8", "", 30*time.Minute)
	chat.Kind = event.KindUserProfileViewed
	chat.UTMSource = ""
	chat.UTMMedium = ""
	chat.UTMCampaign = ""
	f.insert(chat)
	if page = f.login(readSecret).page("/subscribers/7%2F8"); !strings.Contains(page, "<del><bdi>Анна</bdi></del>") {
		t.Error("a chat event hides the changes")
	}
	many := []event.Event{}
	for i := range 101 {
		e := newLead("9", "Пётр", time.Duration(i)*time.Minute)
		e.UTMSource = "vk"
		if i == 100 {
			e.Name, e.UTMSource = "Пётр Первый", "yandex"
		}
		many = append(many, e)
	}
	for _, untagged := range many[:100] { // after the first page of the newest events
		untagged.ID = event.NewID(time.Now())
		untagged.ReceivedAt = time.Now().UTC()
		untagged.UTMSource, untagged.UTMMedium, untagged.UTMCampaign = "", "", ""
		many = append(many, untagged)
	}
	f.insert(many...)
	p := f.login(readSecret)
	newest := p.page("/subscribers/9")
	_, next, _ := strings.Cut(newest, `/subscribers/9?cursor=`)
	next, _, _ = strings.Cut(next, `"`)
	for which, page := range map[string]string{"newest": newest, "older": p.page("/subscribers/9?cursor=" + next)} {
		_, facts, _ := strings.Cut(page, "<h2>Facts")
		if !strings.Contains(facts, "yandex") || !strings.Contains(facts, "vk") || strings.Contains(facts, "Первый") {
			t.Errorf("the page of the %s lacks the first or the last touch, or an early name", which)
		}
	}
	if a := f.login(readSecret).get("/subscribers/nobody"); a.status != http.StatusNotFound {
		t.Errorf("page of an unknown subscriber: %d", a.status)
	}
}

// TestEndpointsAndSources checks states, statistics and actions of both pages.
func TestEndpointsAndSources(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	refused := newEvent("", time.Minute)
	refused.Verdict = event.BadSignature
	stranger := newEvent("", time.Minute)
	stranger.Source, stranger.Verdict = "nosuch", event.UnknownSource
	f.insert(newLead("7", "Анна", time.Minute), refused, stranger)
	f.receiver.answers(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Hooktape-Test") == "" {
			http.Error(w, "занято", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, "test taken")
	})
	p := f.login(replaySecret)
	f.replayOf(p, "source=demo&endpoint=crm&mode=all")
	page := p.page("/endpoints")
	for _, want := range []string{"0.0 %", "503 Service Unavailable", "token=***"} {
		if !strings.Contains(page, want) {
			t.Errorf("the endpoints' page does not contain %q", want)
		}
	}
	if page := p.post("/endpoints/crm/test", nil).body; !strings.Contains(page, "test taken") ||
		!strings.Contains(page, "200 OK") {
		t.Error("the page does not show the answer to the test request")
	}
	if a := p.post("/endpoints/nosuch/test", nil); a.status != http.StatusUnprocessableEntity {
		t.Errorf("test of an unknown endpoint: %d %s", a.status, a.body)
	}
	if a := p.post("/endpoints/crm/pause", nil); a.status != http.StatusSeeOther {
		t.Errorf("pause an endpoint: %d", a.status)
	}
	testutil.Eventually(f.t, func() error {
		if page := p.page("/endpoints"); !strings.Contains(page, `>paused</span>`) ||
			!strings.Contains(page, "Resume") {
			return fmt.Errorf("the endpoint is not shown as paused")
		}
		return nil
	})
	page = p.page("/sources")
	for _, want := range []string{"https://hooks.example.org/hooks/demo/***", "bad signature", "nosuch",
		"Unknown sources", ">required</dd>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the sources' page does not contain %q", want)
		}
	}
}

// TestEvent checks an event's page after a replay.
func TestEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	before := newLead("7", "Анна", time.Hour)
	e := newLead("7", "Анна Петрова", time.Minute)
	f.insert(before, e)
	p := f.login(adminSecret)
	f.replayOf(p, "id="+e.ID.String()+"&endpoint=crm&mode=all")
	page := p.page("/events/" + e.ID.String())
	for _, want := range []string{"Анна Петрова", "59 min earlier", "<del><bdi>Анна</bdi></del>", "200 OK", "принят",
		"Idempotency-Key", "X-Api-Key", "***", "stored in ClickHouse", "attempt 1", "01020300000000000000000000000000",
		"Доп данные"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	for _, path := range []string{"/events/nothing", "/events/" + uuid.NewString(), "/replays/nothing",
		"/replays/" + uuid.NewString(), "/nowhere"} {
		if a := p.get(path); a.status != http.StatusNotFound || !strings.Contains(a.body, "<h1>Not found</h1>") {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestOlderReplays verifies that each replay is on one page, also if several have the same time of creation.
func TestOlderReplays(t *testing.T) {
	f := newFixture(t)
	console.LimitReplays(t, 10)
	at := time.Now().UTC().Truncate(time.Second)
	for i := range 12 {
		made := at.Add(-time.Duration(i/4) * time.Hour) // so that pages end among replays of the same time
		r := event.Replay{ID: event.NewID(made), CreatedAt: made, UpdatedAt: made, State: event.ReplayCompleted,
			Endpoint: "crm", CreatedBy: "boss"}
		if err := f.db.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
	}
	p := f.login(replaySecret)
	seen, next := map[string]int{}, "/replays"
	for pages := 1; next != ""; pages++ {
		page := p.page(next)
		if strings.Contains(page, "New replay") {
			t.Fatalf("the link %s shows the form of a new replay", next)
		}
		for _, m := range replayLink.FindAllStringSubmatch(page, -1) {
			seen[m[1]]++
		}
		_, rest, _ := strings.Cut(page, `href="/replays?before=`)
		before, _, more := strings.Cut(rest, `"`)
		next = ""
		if more {
			next = "/replays?before=" + before
		}
		if want := min(10*pages, 12); len(seen) != want || (pages == 2) != (next == "") {
			t.Fatalf("page %d: %d replays so far, want %d; the next page is %q", pages, len(seen), want, next)
		}
	}
	for _, bad := range []string{"x", uuid.NewString()} {
		if a := p.get("/replays?before=" + bad); a.status != http.StatusNotFound {
			t.Errorf("before %s: %d", bad, a.status)
		}
	}
}

var replayLink = regexp.MustCompile(`href="/replays/([-0-9a-f]{36})"`)

// TestReplayIsCreatedOnce verifies that a form that is sent twice creates one replay, which sends the planned events.
func TestReplayIsCreatedOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newLead("7", "Анна", time.Minute))
	p := f.login(replaySecret)
	page := p.page("/replays?since=1h&endpoint=crm&mode=all")
	_, rest, _ := strings.Cut(page, `<form class="go" method="post" action="`)
	action, rest, _ := strings.Cut(rest, `"`)
	_, rest, _ = strings.Cut(rest, `name="key" value="`)
	key, _, _ := strings.Cut(rest, `"`)
	f.insert(newLead("8", "Иван", 0)) // received after the plan
	var made []string
	for range 2 {
		made = append(made, p.post(unescape(action),
			url.Values{"key": {key}, "confirmed": {"1"}}).header.Get("Location"))
	}
	if made[0] != made[1] || !strings.HasPrefix(made[0], "/replays/") {
		t.Fatalf("the form created %v", made)
	}
	r, err := f.db.Replay(background, uuid.MustParse(strings.TrimPrefix(made[0], "/replays/")))
	if err != nil || r.Total != 1 || r.CreatedBy != "replayer" {
		t.Errorf("got the replay %+v, %v", r, err)
	}
	for query, want := range map[string]string{"endpoint=nosuch": "nosuch", "endpoint=crm&rate=fast": "invalid rate",
		"endpoint=crm&concurrency=70000": "want a whole number", "endpoint=crm&rate=-1": "want a number",
		"url=ftp://x&since=1h": "ftp", "endpoint=crm&order=sideways": "sideways"} {
		a := p.get("/replays?" + query)
		if !strings.Contains(a.body, want) || strings.Contains(a.body, `class="go"`) {
			t.Errorf("%s: %d without %q", query, a.status, want)
		}
	}
	if a := p.post(made[0]+"/explode", nil); a.status != http.StatusNotFound {
		t.Errorf("unknown action: %d", a.status)
	}
}

// TestLongWork verifies that the action of a form may take longer than reading the form.
func TestLongWork(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receiver.answers(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(*console.FormTimeout + time.Second) // a slow endpoint
		fmt.Fprint(w, "at last")
	})
	if a := f.login(replaySecret).post("/endpoints/crm/test", nil); a.status != http.StatusOK ||
		!strings.Contains(a.body, "at last") {
		t.Errorf("test request: %d %s", a.status, a.body)
	}
}

// TestDownloadTooLarge verifies that a download beyond the limit is rejected and that the answer names the alternative.
func TestDownloadTooLarge(t *testing.T) {
	f := newFixture(t)
	f.insert(newLead("7", "Анна", time.Minute), newLead("8", "Иван", time.Minute))
	console.LimitDownloads(t, 1)
	p := f.login(readSecret)
	if a := p.get("/events.csv?since=1h"); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, "hooktape events export") {
		t.Errorf("two events, limit one: %d", a.status)
	}
	if a := p.get("/events.csv?subscriber=7"); a.status != http.StatusOK {
		t.Errorf("one event, limit one: %d", a.status)
	}
}

// testVisibleTitle verifies that symbols replace hidden characters in the title of a page.
func (f *fixture) testVisibleTitle() {
	t := f.t
	id := "a\u202eb\x1b[2J"
	e := newLead(id, "Анна", time.Minute)
	f.insert(e)
	_, title, _ := strings.Cut(f.login(readSecret).page("/subscribers/"+url.PathEscape(id)), "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	if title != "Subscriber aU&#43;202Eb␛[2J · hooktape" {
		t.Errorf("got the title %q", title)
	}
}

// TestBodyPastRetention verifies that pages say that a body was deleted and do not offer to send it.
func TestBodyPastRetention(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	e.Body = nil // its hash stays
	f.insert(e)
	p := f.login(adminSecret)
	page := p.page("/events/" + e.ID.String())
	if !strings.Contains(page, "The body is past its retention") ||
		strings.Contains(page, `action="/events/`+e.ID.String()+`/replay"`) {
		t.Error("the event's page does not say that the body was deleted, or has a form to send it")
	}
	if a := p.get("/events/" + e.ID.String() + "/raw"); a.status != http.StatusGone ||
		!strings.Contains(a.body, "retention") {
		t.Errorf("bytes of the body: %d", a.status)
	}
	page = p.page("/replays?since=1h&endpoint=crm&mode=all")
	if !strings.Contains(page, "Body past its retention") ||
		!strings.Contains(page, "There is nothing to send: the bodies are past their retention") {
		t.Error("the plan does not say why it has no events")
	}
}
