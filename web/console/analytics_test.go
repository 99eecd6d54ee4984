package console_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/net/html"

	"hooktape/internal/event"
	"hooktape/internal/testutil/enginetest"
)

// flowOf returns the requests of a subscriber at the steps start, offer and paid, as many as reached, an hour apart.
func flowOf(source, subscriber, utm, channel string, reached int, ago time.Duration) (list []event.Event) {
	for i, step := range []string{"start", "offer", "paid"}[:reached] {
		e := newLead(subscriber, "Лид "+subscriber, ago-time.Duration(i)*time.Minute)
		e.Source, e.Step, e.UTMSource, e.Channel, e.Phone = source, step, utm, channel, "+79991112233"
		list = append(list, e)
	}
	return list
}

// analyticsEvents are twelve leads of a source, of which three have converted, and a lead of the week before.
func analyticsEvents(source string) (events []event.Event) {
	for i := range 12 {
		utm, channel, reached := "vk", "telegram", 1
		if i%3 == 1 {
			utm, channel, reached = `<script>alert('pwned')</script>`, "viber", 3
		} else if i%3 == 2 {
			utm, reached = strings.Repeat("длинный ", 40)+"\u202e", 2
		}
		if i == 1 {
			reached = 2
		}
		events = append(events, flowOf(source, fmt.Sprint(source, i), utm, channel, reached,
			time.Duration(24+6*i)*time.Hour)...)
	}
	events = append(events, newLead(source+"0", "again", 10*time.Hour)) // a repeated visit
	last := &events[len(events)-1]
	last.Source, last.Step = source, "start"
	return append(events, flowOf(source, source+"before", "vk", "telegram", 1, 9*24*time.Hour)...)
}

// testAnalytics checks the figures of the page, and that each leads to the requests that it counts.
func (f *fixture) testAnalytics() {
	t := f.t
	f.insert(analyticsEvents("flow")...)
	f.insert(newLead("old", "Старая", 20*24*time.Hour)) // says nothing about other sources
	old := flowOf("flow", "flowold", "vk", "telegram", 1, 20*24*time.Hour)
	p := f.login(readSecret)
	for _, want := range []string{`href="/analytics?since=7d&amp;source=flow&amp;utm_source=b"`,
		`href="/analytics?since=7d&amp;source=flow&amp;utm_source=a"`} {
		if page := p.page("/analytics?source=flow&since=7d&utm_source=a&utm_source=b"); !strings.Contains(page, want) {
			t.Errorf("no chip removes one of two values: %s is missing", want)
		}
	}
	// Another window than below: ClickHouse caches the answers to slow queries.
	if page := p.page("/analytics?source=flow&since=7d&window_days=9"); !strings.Contains(page, "no earlier figures") ||
		strings.Contains(page, "1100 %") {
		t.Error("the page compares with a time from before the source's first request")
	}
	f.insert(old...)
	if page := p.page("/analytics?source=flow&since=7d&window_days=8&goal=start&goal=offer"); !strings.Contains(page,
		"0 before") {
		t.Error("the page does not say that nobody converted in the preceding period")
	}
	page := p.page("/analytics?source=flow&since=7d")
	for _, panel := range []string{"summary", "untagged", "spellings"} {
		if csv := linkIn(page, `<a href="/analytics/`+panel+`.csv`); !strings.HasPrefix(csv, "?") {
			t.Errorf("no CSV of %s: %q", panel, csv)
		}
	}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(textOf(root)), " ")
	for _, want := range []string{"Leads 12", "up 1100 % from 1", "Converted 3", "Conversion rate 25.0 %",
		"Requests 24", "start 12 100.0 %", "offer 8 66.7 %", "paid 3 25.0 %", "telegram 8", "viber 4"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q:\n%s", want, text)
		}
	}
	// The lists behind the figures: the number of events, and of subscribers.
	for name, want := range map[string][2]int{"Requests": {24, 12}, "Leads": {13, 12}, "Converted": {3, 3}} {
		m := regexp.MustCompile(`<a href="([^"]*)" aria-label="[^"]* ` + name +
			`: show the requests"`).FindStringSubmatch(page)
		if m == nil {
			t.Errorf("%s leads nowhere", name)
			continue
		}
		lines, people := p.behind(html.UnescapeString(m[1]))
		if lines != want[0] || people != want[1] {
			t.Errorf("%s leads to %d events of %d subscribers, want %v", name, lines, people, want)
		}
	}
	for _, path := range []string{"/analytics/utm.csv?source=flow&since=7d", "/analytics?source=flow&since=24h",
		"/analytics?source=flow&since=7d&all=utm&goal=paid",
		"/analytics?source=flow&since=7d&tags=content&sort=content.utm_term"} {
		p.page(path)
	}
	sorted := p.page("/analytics?source=flow&since=7d&sort=utm.leads")
	if !strings.Contains(sorted, `aria-sort="ascending"`) || !strings.Contains(sorted, "sort=-utm.leads") {
		t.Error("the table is not sorted")
	}
	if a := p.get("/analytics?source=flow&first=2026-01-02&last=2026-01-01"); a.header.Get("Location") != "/analytics?from=2026-01-01T00%3A00%3A00Z&source=flow&until=2026-01-03T00%3A00%3A00Z" {
		t.Errorf("dates lead to %s", a.header.Get("Location"))
	}
	typed := "/analytics?another=+gift+&goal=start&goal=+paid&goal=paid&goal=&goal=start&source=flow"
	if got := p.get(typed).header.Get("Location"); got != "/analytics?goal=start&goal=+paid&goal=paid&goal=gift&source=flow" {
		t.Errorf("the form of goals leads to %s", got)
	}
	for goals, want := range map[string][2]int{"start,offer": {3, 1}, "start,offer,paid": {3, 1},
		"start,offer,paid,a,b,c,d": {7, 1}, "start,offer,a,b,c,d,e": {8, 0}, "start,offer,paid,a,b,c,d,e": {8, 0}} {
		form := p.page("/analytics?" + url.Values{"source": {"flow"}, "since": {"7d"},
			"goal": strings.Split(goals, ",")}.Encode())
		if got := [2]int{strings.Count(form, `<select name="goal"`), strings.Count(form, `name="another"`)}; got != want {
			t.Errorf("the form for %s has fields for %d goals and for %d other steps, want %v", goals, got[0], got[1],
				want)
		}
	}
	nine := "goal=a&goal=b&goal=c&goal=d&goal=e&goal=f&goal=g&goal=h&goal=i"
	for _, wrong := range []string{"step=paid", "window_days=0", "source=a&source=b", nine} {
		if a := p.get("/analytics?" + wrong); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d", wrong, a.status)
		}
	}
	if a := p.get("/analytics/nothing.csv"); a.status != http.StatusNotFound {
		t.Errorf("an unknown panel: %d", a.status)
	}
	if strings.Contains(f.log.String(), "one by one") {
		t.Error("the panels were asked for one by one")
	}
	if nobody := p.page("/analytics?source=nobody"); !strings.Contains(nobody, "No leads in this time") {
		t.Error("a source without leads says nothing")
	}
}

// behind returns the numbers of events and of people in the list to which a figure's address leads.
func (p *person) behind(address string) (events, people int) {
	p.f.t.Helper()
	if a := p.get(address); a.status == http.StatusSeeOther {
		address = a.header.Get("Location")
	}
	u, err := url.Parse(address)
	if err != nil || u.Path != "/" {
		p.f.t.Fatalf("a figure leads to %s: %v", address, err)
	}
	query := u.Query()
	query.Del("instead")
	a := p.get("/events.csv?" + query.Encode())
	lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
	if err != nil || len(lines) == 0 {
		p.f.t.Fatalf("%s: %d %v %s", address, a.status, err, a.body)
	}
	column, ids := slices.Index(lines[0], "bothelp_user_id"), map[string]bool{}
	for _, l := range lines[1:] {
		ids[l[column]] = true
	}
	return len(lines) - 1, len(ids)
}

// testAnalyticsPeople verifies that each figure of leads leads to the requests of as many people: also where a tag came
// with a later request, where a value has several spellings, and where people visit a step again.
func (f *fixture) testAnalyticsPeople() {
	t := f.t
	day := 24 * time.Hour
	late := flowOf("people", "people-late", "", "telegram", 3, 2*day)
	late[1].UTMSource = "google"
	empty := flowOf("people", "people-none", "", "", 1, 3*day)
	empty[0].Phone = ""
	var events []event.Event
	for _, more := range [][]event.Event{late, empty,
		flowOf("people", "people-1", "VK", "telegram", 3, 12*day), flowOf("people", "people-1", "vk", "viber", 1, 2*day),
		flowOf("people", "people-2", "vk", "viber", 2, 2*day), flowOf("people", "people-3", "В К", "viber", 1, day),
		flowOf("people", "people-4", "in the last minute", "viber", 1, time.Second)} {
		events = append(events, more...)
	}
	skipped := flowOf("people", "people-skipped", "vk", "viber", 3, 4*day)
	events = append(events, skipped[2]) // paid without a start: no lead
	f.insert(events...)
	p := f.login(readSecret)
	for _, attribution := range []string{"first", "last"} {
		page := p.page("/analytics?source=people&since=30d&goal=start&goal=offer&goal=paid&attribution=" + attribution)
		links := regexp.MustCompile(
			`<a href="(/analytics/people[^"]*)"[^>]*>(?:<[^>]*>)?(\d+)<`).FindAllStringSubmatch(page, -1)
		if len(links) < 25 {
			t.Errorf("the page has %d figures with a link", len(links))
		}
		for _, m := range links {
			address := html.UnescapeString(m[1])
			if _, people := p.behind(address); fmt.Sprint(people) != m[2] {
				t.Errorf("the figure %s leads to %d people: %s", m[2], people, address)
			}
		}
	}
	var crowd []event.Event
	for i := range 201 {
		crowd = append(crowd, flowOf("crowd", fmt.Sprint("crowd", i), "vk", "viber", 1, time.Hour)...)
	}
	f.insert(crowd...)
	a := p.get("/analytics/people?source=crowd&goal=start&reached=1")
	if page := p.page(a.header.Get("Location")); !strings.Contains(page, "More than 200 people") {
		t.Errorf("%s does not say that it has other requests", a.header.Get("Location"))
	}
	for _, wrong := range []string{"", "?source=crowd&goal=start&reached=2", "?source=crowd&goal=start&reached=0"} {
		if a := p.get("/analytics/people" + wrong); a.status != http.StatusUnprocessableEntity {
			t.Errorf("people%s: %d", wrong, a.status)
		}
	}
}

// testAnalyticsZones verifies that every lead is in the bar of its day or hour, whose beginning is that of the zone: in
// zones whose clocks skip midnight or show it twice, and in zones whose offset has minutes.
func (f *fixture) testAnalyticsZones() {
	const (
		days, dayFormat   = 10 * 24 * time.Hour, "Mon, 2 Jan 2006"
		hours, hourFormat = 36 * time.Hour, "Mon, 2 Jan, 15:00"
	)
	t := f.t
	p := f.login(readSecret)
	var events []event.Event
	var checks []func()
	for i, c := range []struct {
		zone, change string // when clocks are set
		around       time.Duration
		format       string
	}{
		{"America/Santiago", "2026-09-06T04:00:00Z", days, dayFormat},
		{"America/Santiago", "2026-04-05T03:00:00Z", days, dayFormat},
		{"America/Havana", "2026-03-08T05:00:00Z", days, dayFormat},
		{"Atlantic/Azores", "2026-03-29T01:00:00Z", days, dayFormat},
		{"America/Sao_Paulo", "2018-11-04T03:00:00Z", days, dayFormat},
		{"Asia/Tehran", "2022-03-21T20:30:00Z", hours, hourFormat},
		{"Asia/Kolkata", "2026-05-05T00:00:00Z", hours, hourFormat}, // never set
		{"Europe/Berlin", "2026-10-25T01:00:00Z", hours, hourFormat},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		change, err := time.Parse(time.RFC3339, c.change)
		if err != nil {
			t.Fatal(err)
		}
		source, want := fmt.Sprint("zone", i), map[string]int{}
		for n, away := range []time.Duration{-25 * time.Hour, -time.Hour, -time.Minute, 0, time.Minute, 2 * time.Hour,
			23 * time.Hour, 25 * time.Hour} {
			at := change.Add(away)
			e := newLead(fmt.Sprint(source, n), "Лид", 0)
			e.ID, e.ReceivedAt, e.Source, e.Step = event.NewID(at), at, source, "start"
			events = append(events, e)
			label := at.In(zone).Format(c.format)
			if c.format == hourFormat && (at.Add(time.Hour).In(zone).Format(c.format) == label ||
				at.Add(-time.Hour).In(zone).Format(c.format) == label) { // clocks show this hour twice
				_, offset := at.In(zone).Zone()
				label += fmt.Sprintf(" UTC%+d", offset/3600)
			}
			want[label]++
		}
		address := "/analytics?" + url.Values{"source": {source}, "time_zone": {c.zone}, "goal": {"start"},
			"from":  {change.Add(-c.around).Format(time.RFC3339)},
			"until": {change.Add(c.around).Format(time.RFC3339)}}.Encode()
		checks = append(checks, func() {
			page := p.page(address)
			got := map[string]int{}
			for _, m := range regexp.MustCompile(
				`<tr><td>([^<]+)</td><td class="num"><a [^>]+>(\d)</a>`).FindAllStringSubmatch(page, -1) {
				leads, _ := strconv.Atoi(m[2])
				got[html.UnescapeString(m[1])] += leads
			}
			if !maps.Equal(got, want) {
				t.Errorf("%s around %s: %v, want %v", c.zone, c.change, got, want)
			}
			if !strings.Contains(page, `all times">`+c.zone) {
				t.Errorf("the page does not name the zone %s", c.zone)
			}
		})
	}
	f.insert(events...)
	for _, check := range checks {
		check()
	}
	p.web.Jar.SetCookies(nil, []*http.Cookie{{Name: "hooktape_zone", Value: url.QueryEscape("Europe/Berlin")}})
	list := html.UnescapeString(p.page("/?chart=1&from=2026-10-25T00:00:00Z&until=2026-10-27T00:00:00Z"))
	for _, want := range []string{"<title>2026-10-25 02:00:00 UTC+2, ", "<title>2026-10-25 02:00:00 UTC+1, ",
		"<span>from</span> <b><bdi>2026-10-25 02:00 UTC+2</bdi>"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list of events lacks %s: %s", want, list)
		}
	}
}

// testAnalyticsByHand chooses a tag, other goals and other dates in a browser, with the keyboard.
func (f *fixture) testAnalyticsByHand() {
	f.insert(analyticsEvents("hand")...)
	b := f.browser(readSecret)
	b.Open(f.url + "/analytics?source=hand&since=7d")
	b.AwaitText(".kpis", "12")
	b.Click(`#channels tbody tr:nth-child(2) th a`)
	b.AwaitText(".chips", "viber")
	b.AwaitText(".kpis", "4")
	b.Click(`.chips a`)
	b.AwaitText(".kpis", "12")
	b.Click(`.bar details:nth-of-type(2) summary`)
	b.Run(chromedp.SetValue(`select[aria-label="Goal 3"]`, "", chromedp.ByQuery),
		chromedp.Submit(`.bar details:nth-of-type(2) form`, chromedp.ByQuery))
	b.AwaitText(".kpis", "66.7 %")
	b.Await(`new URLSearchParams(location.search).getAll('goal').join() === 'start,offer'`)
	// Another order, and a step that was not among the choices, by the keyboard.
	b.Click(`.bar details:nth-of-type(2) summary`)
	b.Run(chromedp.SetValue(`select[aria-label="Goal 1"]`, "offer", chromedp.ByQuery),
		chromedp.SetValue(`select[aria-label="Goal 2"]`, "start", chromedp.ByQuery),
		chromedp.SendKeys(`input[aria-label="Another step"]`, " gift \r", chromedp.ByQuery))
	b.Await(`new URLSearchParams(location.search).getAll('goal').join() === 'offer,start,gift'`)
	b.Await(`document.querySelector('select[aria-label="Goal 3"]').value === 'gift'`)
	f.assertClean(b)
	b.Open(f.url + "/analytics?source=hand&since=7d&goal=start&goal=offer")
	b.AwaitText(".kpis", "66.7 %")
	b.Click(`.kpis a`)
	b.AwaitText("h1", "Events")
	b.AwaitText("#rows", "Лид")
	f.assertClean(b)
}

// textOf returns the text of an element.
func textOf(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data + " "
	}
	var b strings.Builder
	for c := range n.ChildNodes() {
		b.WriteString(textOf(c))
	}
	return b.String()
}

// TestAnalyticsEmpty: without any event the page says what to do.
func TestAnalyticsEmpty(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if page := f.login(readSecret).page("/analytics"); !strings.Contains(page, "Send subscriber data via webhook") ||
		!strings.Contains(page, "hooktape simulate") {
		t.Errorf("the page says %s", page)
	}
}

// TestAnalyticsOfAnotherSource verifies that the page has the figures of the busiest source and its steps, although it
// asks for those of the page before while it finds them.
func TestAnalyticsOfAnotherSource(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.login(readSecret)
	f.insert(flowOf("quiet", "1", "vk", "telegram", 3, time.Hour)...)
	for range 2 {
		if page := p.page("/analytics?since=7d"); !strings.Contains(page, "1 Lead") {
			t.Errorf("the page of the only source says %s", page)
		}
	}
	for i := range 3 {
		f.insert(flowOf("busy", fmt.Sprint("busy", i), "vk", "telegram", 2, time.Hour)...)
	}
	// Another range: ClickHouse caches the answers to slow queries.
	for _, want := range []string{"3 Leads", `source=busy" aria-current`} {
		if page := p.page("/analytics?since=8d"); !strings.Contains(page, want) {
			t.Errorf("the page of the busiest source lacks %s: %s", want, page)
		}
	}
}

// TestAnalyticsPartly verifies that a panel that ClickHouse cannot compute does not hide the others.
func TestAnalyticsPartly(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(analyticsEvents("flow")...)
	conn := enginetest.Connect(t, f.dsn)
	var view string
	if err := conn.QueryRow(background, "SELECT create_table_query FROM system.tables WHERE database = "+
		"currentDatabase() AND name = 'journeys'").Scan(&view); err != nil {
		t.Fatal(err)
	}
	broken := strings.NewReplacer("CREATE VIEW", "CREATE OR REPLACE VIEW", "first_channel AS channel,", "").Replace(view)
	if err := conn.Exec(background, broken); err != nil {
		t.Fatal(err)
	}
	page := f.login(readSecret).page("/analytics?source=flow&since=7d")
	for _, want := range []string{"could not compute: channels.", "<h2>Funnel</h2>", "<h2>UTM tags</h2>",
		"<h2>Leads over time</h2>", "12 Leads"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestAnalyticsOnOlderServer verifies that the page has all panels on a server that does not know the settings of a
// query for several, as ClickHouse before 26, and that such a server is asked only once. A server that does not answer
// is not asked for each panel, but once for all and once for the first.
func TestAnalyticsOnOlderServer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(analyticsEvents("flow")...)
	dsn, err := url.Parse(f.dsn)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: dsn.Host})
	var refused, broken atomic.Int32 // queries
	var away atomic.Bool
	older := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sql, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sql))
		for _, setting := range []string{"enable_materialized_cte", "enable_named_columns_in_function_tuple"} {
			if r.URL.Query().Has(setting) && !away.Load() {
				refused.Add(1)
				w.Header().Set("X-ClickHouse-Exception-Code", "115")
				http.Error(w, "Code: 115. DB::Exception: Unknown setting '"+setting+"'. (UNKNOWN_SETTING)",
					http.StatusNotFound)
				return
			}
		}
		if away.Load() && bytes.Contains(sql, []byte("journeys")) {
			broken.Add(1)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer older.Close()
	dsn.Host = strings.TrimPrefix(older.URL, "http://")
	p := f.consoleOn(dsn.String()).login(readSecret)
	p.page("/analytics?source=flow&since=7d")
	page := p.page("/analytics?source=flow&since=7d")
	for _, want := range []string{"<h2>Funnel</h2>", "<h2>UTM tags</h2>", "<h2>Leads over time</h2>",
		"<h2>Messengers</h2>", "<h2>Weekly cohorts</h2>", "12 Leads"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "could not compute") {
		t.Error("the page lacks panels")
	}
	if n := strings.Count(f.log.String(), "one by one"); n != 1 || refused.Load() != 1 {
		t.Errorf("the server refused %d queries, and the log has %d lines about it", refused.Load(), n)
	}
	away.Store(true)
	if a := f.consoleOn(dsn.String()).login(readSecret).get("/analytics?source=flow&since=7d&goal=start&goal=paid"); a.status != http.StatusServiceUnavailable ||
		broken.Load() != 2 {
		t.Errorf("a server that does not answer was asked %d times; %d", broken.Load(), a.status)
	}
}
