package panels_test

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"hooktape/dashboards"
	"hooktape/internal/event"
	"hooktape/internal/simulate"
)

// hostile are texts that may come from a webhook, a link or a text box.
var hostile = []string{"", "plain", "O'Brien", `"quoted"`, `back\slash`, `\`, `\'`, `\' OR 1=1 --`,
	"'; DROP TABLE events; --", "осень, 2026", "a,b", "{a,b}", "*", "%27",
	"$__fromTime", "$__timeFilter(x)", "${source}", "$source", "(none)", "two\nlines", "a\x00b", "/*", "--", "`", "$$",
	"🙂", "{x:String}", "?", ") UNION SELECT 1 --"}

// hostileAccount stores an account in whose events each hostile text is a UTM tag, a step, a messenger, a name and a
// field once.
func hostileAccount(t *testing.T) database {
	t.Helper()
	o := simulate.DefaultOptions(until, 2)
	o.Subscribers = 50
	a, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	db, stored := fill(t, a)
	var events []event.Event
	for i, text := range hostile {
		at := until.Add(-time.Duration(i+1) * time.Minute)
		for k, step := range []string{"first", text} {
			at := at.Add(time.Duration(k) * time.Second)
			events = append(events,
				event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "hostile", Step: step,
					Verdict: event.Accepted, Method: "POST", Path: "/hooks/hostile/***",
					RemoteIP: netip.MustParseAddr("192.0.2.1"), Body: []byte(text)},
					Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprintf("h%d", i), Name: text,
						Channel: text, UTMSource: text, UTMMedium: text, UTMCampaign: text, UTMContent: text,
						UTMTerm: text, Fields: map[string]string{"field " + text: text}}})
		}
	}
	if err := stored.InsertEvents(context.Background(), "", events); err != nil {
		t.Fatal(err)
	}
	return db
}

// TestHostile verifies the dashboards with an account whose events have hostile texts.
func TestHostile(t *testing.T) {
	db := hostileAccount(t)
	t.Run("values", func(t *testing.T) { hostileValues(t, db) })
	t.Run("tags", func(t *testing.T) { hostileTags(t, db) })
	t.Run("variables", func(t *testing.T) { hostileVariables(t, db) })
}

// hostileValues runs every query with hostile texts in every variable: alone, together with others, and as if somebody
// had put them into the link.
func hostileValues(t *testing.T, db database) {
	queries, err := all()
	if err != nil {
		t.Fatal(err)
	}
	if len(queries) < 20 {
		t.Fatalf("only %d queries", len(queries))
	}
	for _, q := range queries {
		t.Run(q.Dashboard+"/"+q.Title, func(t *testing.T) {
			t.Parallel()
			for _, view := range hostileViews(q.SQL) {
				sql, err := view.Expand(q.SQL)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := db.ask(sql); err != nil {
					t.Fatalf("plugin %d, %q: %v", view.Plugin, view.Values, err)
				}
			}
		})
	}
}

var named = regexp.MustCompile(`\$\{(\w+):percentencode\}`)

// fixed are the variables with a fixed list of values in the dashboard.
var fixed = map[string]string{"window_days": "7", "attribution": "last"}

func hostileViews(sql string) (views []dashboards.View) {
	names := map[string]bool{}
	for _, m := range named.FindAllStringSubmatch(sql, -1) {
		names[m[1]] = true
	}
	view := func(plugin int, zone string, values func(name string) []string) {
		v := dashboards.View{From: until.Add(-36 * time.Hour), To: until, Interval: time.Hour, Plugin: plugin,
			Zone: zone, Values: map[string][]string{}}
		for name := range names {
			if value, ok := fixed[name]; ok {
				v.Values[name] = []string{value}
			} else if chosen := values(name); chosen != nil {
				v.Values[name] = chosen
			}
		}
		views = append(views, v)
	}
	none := func(string) []string { return nil }
	view(3, "", none)
	view(4, "", none)
	view(4, "Asia/Tokyo", func(string) []string {
		return []string{dashboards.Key(hostile[3]), dashboards.Key(hostile[6]), dashboards.Key(hostile[9])}
	})
	if len(names) > 0 {
		view(4, "no/such zone", func(string) []string { return hostile })
		for _, text := range hostile[7:9] { // texts that would end a string
			view(4, "no/such zone", func(string) []string { return []string{text} })
		}
	}
	return views
}

// hostileTags verifies that a filter by a tag finds its lead and that goals find a step, whatever text the tag or the
// step's name is.
func hostileTags(t *testing.T, db database) {
	encoded := func(step string) string { return "first, " + strings.ReplaceAll(url.QueryEscape(step), "+", "%20") }
	plain := func(step string) string {
		if strings.ContainsAny(step, ",%") { // these need encoding
			return encoded(step)
		}
		return "first," + strings.ReplaceAll(step, "+", "%20")
	}
	some := hostile[3:10] // texts that would end a string
	for _, c := range []struct {
		variable string
		texts    []string
		goals    func(step string) string
	}{
		{"utm_source", hostile, encoded},
		{"utm_campaign", some, func(string) string { return "first" }},
		{"utm_medium", some, plain},
		{"utm_content", some, plain},
		{"utm_term", some, plain},
		{"channel", hostile, plain},
	} {
		t.Run(c.variable, func(t *testing.T) {
			t.Parallel()
			for _, text := range c.texts {
				if text == "" && c.variable != "channel" {
					continue // a lead without any tag has no touch: it counts under (none)
				}
				v := dashboards.View{From: until.Add(-24 * time.Hour), To: until, Plugin: 4,
					Values: map[string][]string{"source": {"hostile"},
						"goals": {c.goals(text)}, "window_days": {"1"}, "attribution": {"first"},
						c.variable: {dashboards.Key(text)}}}
				got := db.see(t, conversion, "Leads and conversions", v)[1]
				if got.n("Leads") != 1 || got.n("Converted") != 1 {
					t.Errorf("%q, goals %q: %v, want one lead, converted", text, v.Values["goals"], got)
				}
			}
		})
	}
}

// hostileVariables verifies that a variable's list contains the keys of the stored texts.
func hostileVariables(t *testing.T, db database) {
	queries, err := all()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		if !q.Variable || q.Title != "utm_source" || q.Dashboard != conversion {
			continue
		}
		sql, err := dashboards.View{From: until.Add(-24 * time.Hour), To: until, Plugin: 4,
			Values: map[string][]string{"source": {"hostile"}}}.Expand(q.SQL)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := db.ask(sql)
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]bool{}
		for _, r := range rows {
			keys[r.s("id")] = true
		}
		for _, text := range hostile {
			if !keys[dashboards.Key(text)] {
				t.Errorf("%q is not listed as %s", text, dashboards.Key(text))
			}
		}
		return
	}
	t.Error("no variable utm_source")
}

// TestSuggestedGoals verifies that the dashboard suggests every step as a goal, and finds the step's leads when a
// viewer chooses it, whatever its name is.
func TestSuggestedGoals(t *testing.T) {
	db, stored := empty(t)
	steps := []string{"reg,free", "begin ", " two  spaces", "100%", "%2C", "Оплата, полная", "a+b"}
	var events []event.Event
	for i, step := range steps {
		at := until.Add(time.Duration(i-60) * time.Minute)
		events = append(events, event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "odd",
			Step: step, Verdict: event.Accepted},
			Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: "7"}})
	}
	if err := stored.InsertEvents(context.Background(), "", events); err != nil {
		t.Fatal(err)
	}
	v := dashboards.View{From: until.Add(-24 * time.Hour), To: until, Plugin: 4,
		Values: map[string][]string{"source": {"odd"}, "window_days": {"1"}, "attribution": {"first"}}}
	suggested := db.see(t, conversion, "goals", v)
	if len(suggested) != 2 {
		t.Fatalf("suggested goals: %v, want one for each step", suggested)
	}
	for _, goals := range suggested {
		v.Values["goals"] = []string{goals.s("goals")}
		for i, r := range db.see(t, conversion, "Funnel", v) {
			want := steps[i]
			if len(strings.Split(goals.s("goals"), ",")) == 2 && i == 1 {
				want = steps[len(steps)-1]
			}
			if r.s("Step") != want || r.n("Leads") != 1 {
				t.Errorf("goals %q: step %d is %q with %d leads, want %q with one", goals.s("goals"), i+1, r.s("Step"),
					r.n("Leads"), want)
			}
		}
	}
}
