package api_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// visit returns an event of a subscriber at a step of a flow.
func visit(source, step, subscriber string, at time.Time, change func(*event.Event)) event.Event {
	e := newEvent(source, 0)
	e.ID, e.ReceivedAt, e.Step, e.BothelpUserID = event.NewID(at), at, step, subscriber
	if change != nil {
		change(&e)
	}
	return e
}

// TestAnalytics: the defaults are the busiest source and its steps; a panel has the exact texts of tags, also of
// hostile ones, and each filters the leads to its own.
func TestAnalytics(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var empty api.AnalysisChoices
	f.get(readSecret, "/api/v1/analytics", &empty)
	if empty.Source != "" || len(empty.Sources) != 0 || len(empty.Steps) != 0 || empty.WindowDays != 7 ||
		empty.Until.Sub(empty.From) != 30*24*time.Hour {
		t.Errorf("without events: %+v", empty)
	}
	var none api.Panel
	f.get(readSecret, "/api/v1/analytics/funnel", &none)
	if len(none.Rows) > 0 {
		t.Errorf("without events: %+v", none)
	}

	tags := []string{"vk", "", "(none)", "=HYPERLINK(1)", "a,b", "{a,b}", "*", "%27", `\' OR 1=1 --`, "$__toTime",
		"${source}", "<b>", "two\nlines", "осень 2026", strings.Repeat("long ", 200)}
	begin := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Microsecond)
	var events []event.Event
	for i, tag := range tags {
		at := begin.Add(time.Duration(i) * time.Second)
		of := func(e *event.Event) {
			e.UTMSource, e.UTMMedium, e.UTMContent, e.Channel = tag, "known", tag, tag
			if i%2 == 0 {
				e.Phone = "+79990000000"
			}
		}
		events = append(events, visit("course", "start", fmt.Sprint("s", i), at, of))
		if i%3 == 0 {
			events = append(events, visit("course", "paid, full", fmt.Sprint("s", i), at.Add(time.Hour), of))
		}
	}
	f.insert(append(events, visit("other", "start", "1", begin, nil),
		visit("other", "start", "1", begin.Add(-70*24*time.Hour), nil))...)

	var choices api.AnalysisChoices
	f.get(readSecret, "/api/v1/analytics", &choices)
	if fmt.Sprintln(choices.Source, choices.Sources, choices.Steps,
		choices.Goals) != "course [course other] [start paid, full] [start paid, full]\n" {
		t.Errorf("choices: %+v", choices)
	}
	var summary api.Panel
	f.get(readSecret, "/api/v1/analytics/summary", &summary)
	if row := summary.Rows[1]; fmt.Sprint(row["leads"], row["with_a_contact"], row["converted"]) != "15 8 5" ||
		summary.Rows[0]["leads"] != nil {
		t.Errorf("summary: %v", summary.Rows)
	}
	// Another source has requests from before the preceding period; this one has none.
	if note := summary.Rows[0]["note"]; note != "no earlier figures" {
		t.Errorf("summary: %v", summary.Rows)
	}
	if a := f.ask(readSecret, "GET", "/api/v1/analytics/summary?format=csv", nil); !strings.Contains(string(a.body),
		",,,,no earlier figures\n") {
		t.Errorf("the CSV does not say that there are no earlier figures:\n%s", a.body)
	}
	var other api.Panel
	f.get(readSecret, "/api/v1/analytics/summary?source=other", &other)
	if row := other.Rows[0]; row["leads"] != 0.0 || row["conversion_rate"] != nil || row["note"] != "" {
		t.Errorf("summary of a source without leads in the preceding period: %v", other.Rows)
	}
	for panel, column := range map[string]string{"utm": "utm_source", "content": "utm_content",
		"channels": "messenger"} {
		var p api.Panel
		f.get(readSecret, "/api/v1/analytics/"+panel, &p)
		found := map[string]bool{}
		for _, row := range p.Rows {
			found[fmt.Sprint(row[column])] = true
			if row["leads"] != 1.0 {
				t.Errorf("%s: %v", panel, row)
			}
		}
		for _, tag := range tags {
			if !found[tag] {
				t.Errorf("%s lacks %q", panel, tag)
			}
			if panel != "utm" {
				continue // TestHostile of the dashboards tries every filter with every text
			}
			var only api.Panel
			f.get(readSecret, "/api/v1/analytics/summary?goal=start&goal="+escape("paid, full")+"&"+column+"="+
				escape(tag), &only)
			if only.Rows[1]["leads"] != 1.0 {
				t.Errorf("leads with the %s %q: %v", column, tag, only.Rows)
			}
		}
		for _, column := range p.Columns {
			if strings.HasSuffix(column, "_key") {
				t.Errorf("%s has the column %s", panel, column)
			}
		}
	}

	a := f.ask(readSecret, "GET", "/api/v1/analytics/utm?format=csv", nil)
	lines, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(lines) != len(tags)+1 || lines[0][0] != "utm_source" ||
		a.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("CSV: %v, %d lines, %v", err, len(lines), a.header)
	}
	if !strings.Contains(string(a.body), "'=HYPERLINK(1)") {
		t.Errorf("a formula is in the CSV:\n%s", a.body)
	}
}

// TestAnalyticsParameters verifies that the document describes what the filters mean for leads: both ends of a range
// count, and a tag has one spelling.
func TestAnalyticsParameters(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, last := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC)
	vk := func(e *event.Event) { e.UTMSource, e.Channel = "vk", "telegram" }
	f.insert(visit("course", "start", "1", first, vk), visit("course", "start", "2", last, vk),
		visit("course", "start", "3", last.Add(time.Second), vk), visit("more", "start", "4", last, nil))
	var document struct {
		Paths map[string]map[string]struct {
			Parameters []struct{ Name, Description string }
		}
	}
	f.get("", "/openapi.json", &document)
	described := map[string]string{}
	for _, p := range document.Paths["/api/v1/analytics/{panel}"]["get"].Parameters {
		described[p.Name] = p.Description
	}
	for _, c := range []struct {
		query, name, says string
		leads             float64
	}{
		{"", "from", "at or after", 2},
		{"", "until", "at or before", 2},
		{"&utm_source=vk", "utm_source", "in this spelling", 2},
		{"&utm_source=VK", "utm_source", "in this spelling", 0},
		{"&channel=telegram", "channel", "first request", 2},
		{"&channel=", "channel", "empty", 0},
		{"&source=more", "source", "of this source", 1},
	} {
		if !strings.Contains(described[c.name], c.says) {
			t.Errorf("%s is described as %q, without %q", c.name, described[c.name], c.says)
		}
		var summary api.Panel
		f.get(readSecret, "/api/v1/analytics/summary?from="+escape(first.Format(time.RFC3339))+"&until="+
			escape(last.Format(time.RFC3339))+c.query, &summary)
		if n := summary.Rows[1]["leads"]; n != c.leads {
			t.Errorf("%s: %v leads, want %v", c.query, n, c.leads)
		}
	}
}

// TestAnalyticsFaults: what an analysis cannot be is answered with what is wrong.
func TestAnalyticsFaults(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for query, want := range map[string]string{
		"step=paid":                       "unknown query parameter",
		"source=a&source=b":               "one source at a time",
		"window_days=0":                   "want 1 to 365",
		"window_days=x":                   "want 1 to 365",
		"attribution=middle":              "want first or last",
		"time_zone=Mars/Olympus":          "invalid time zone",
		"time_zone=Local":                 "invalid time zone",
		"time_zone=" + escape("UTC') --"): "invalid time zone",
		"goal=":                           "one to 8 steps",
		strings.Repeat("goal=a&", 9):      "one to 8 steps",
		"since=never":                     "invalid duration",
		"from=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z": "before it begins",
		"from=0001-01-01T00:00:00Z&until=9999-01-01T00:00:00Z": "at most ten years",
		"from=2010-01-01T00:00:00Z":                            "at most ten years",
		"from=1969-12-31T00:00:00Z&until=1970-02-01T00:00:00Z": "between 1970 and 2106",
		"from=2106-01-01T00:00:00Z&until=2107-01-01T00:00:00Z": "between 1970 and 2106",
		"format=xml&since=1d":                                  "",
	} {
		p := f.ask(readSecret, "GET", "/api/v1/analytics/summary?"+query, nil).problem(t)
		if p.Status != http.StatusUnprocessableEntity || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %d %s", query, p.Status, p.Detail)
		}
	}
	if a := f.ask(readSecret, "GET", "/api/v1/analytics/"+url.PathEscape("../../x"),
		nil); a.status != http.StatusNotFound {
		t.Errorf("an unknown panel: %d %s", a.status, a.body)
	}
	if p := f.ask(readSecret, "GET", "/api/v1/analytics/nothing", nil).problem(t); p.Status != http.StatusNotFound &&
		p.Status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown panel: %d %s", p.Status, p.Detail)
	}
}

// TestAnalysisUntil verifies that a range never ends later than the current minute, so that the preceding period is as
// long as what has passed of it.
func TestAnalysisUntil(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 0, 30, 0, time.UTC)
	for query, want := range map[string]string{
		"":                          "2026-10-31T10:01:00Z 2026-11-30T10:01:00Z",
		"from=2026-11-30T00:00:00Z": "2026-11-30T00:00:00Z 2026-11-30T10:01:00Z",
		"from=2026-11-30T00:00:00Z&until=2026-12-01T00:00:00Z": "2026-11-30T00:00:00Z 2026-11-30T10:01:00Z",
		"until=2026-12-01T00:00:00Z":                           "2026-10-31T10:01:00Z 2026-11-30T10:01:00Z",
		"from=2026-11-29T00:00:00Z&until=2026-11-30T00:00:00Z": "2026-11-29T00:00:00Z 2026-11-30T00:00:00Z",
		"from=2026-12-01T00:00:00Z&until=2026-12-02T00:00:00Z": "2026-12-01T00:00:00Z 2026-12-02T00:00:00Z",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		a, faults := api.ParseAnalysis(values, now)
		if got := a.From.Format(time.RFC3339) + " " + a.Until.Format(time.RFC3339); got != want || len(faults) > 0 {
			t.Errorf("%s: %s %v, want %s", query, got, faults, want)
		}
	}
}
