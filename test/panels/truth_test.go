package panels_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hooktape/dashboards"
	"hooktape/internal/event"
	"hooktape/internal/simulate"
	"hooktape/web/api"
)

const (
	conversion    = "hooktape-conversion"
	conversations = "hooktape-conversations"
	webhooks      = "hooktape-webhooks"
)

func account(t *testing.T) *simulate.Account {
	t.Helper()
	o := simulate.DefaultOptions(until, 40)
	o.Subscribers = 500
	a, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestTruth compares what the panels show with the simulated account's own numbers.
func TestTruth(t *testing.T) {
	a := account(t)
	db, stored := fill(t, a)
	insert(t, a, stored) // once more: the server drops the duplicates
	first := firstOf(a)
	course, webinar := simulate.Steps()
	steps := map[string][]string{"course": course, "webinar": webinar}
	for _, question := range []struct {
		name    string
		q       simulate.Question
		plugins []int // most questions run with 4 only, because the plugins differ only in their macros
		sources []string
	}{
		{"all", simulate.Question{From: a.From, To: a.Until, Within: 30 * 24 * time.Hour}, []int{4},
			[]string{"course", "webinar"}},
		{"two weeks", simulate.Question{From: until.Add(-15 * 24 * time.Hour), To: until.Add(-24 * time.Hour),
			Within: 7 * 24 * time.Hour}, []int{3, 4}, []string{"course"}},
		{"some goals", simulate.Question{From: until.Add(-20 * 24 * time.Hour), To: until, Within: 24 * time.Hour,
			Goals: map[string][]string{"course": {"offer", "payment"}, "webinar": {"webinar", "оплата"}}}, []int{4},
			[]string{"course", "webinar"}},
		{"empty steps", simulate.Question{From: until.Add(-72 * time.Hour), To: until, Within: 24 * time.Hour,
			Goals: map[string][]string{"course": {"start", "never", "paid"}}}, []int{4}, []string{"course"}},
		{"last day", simulate.Question{From: until.Add(-24 * time.Hour), To: until, Within: 24 * time.Hour}, []int{4},
			[]string{"webinar"}},
		{"before the first request", simulate.Question{From: a.From.Add(-48 * time.Hour),
			To: a.From.Add(-24 * time.Hour), Within: 24 * time.Hour}, []int{4}, []string{"course"}},
	} {
		for _, plugin := range question.plugins {
			q := question.q
			c := comparison{db: db, page: pageOn(stored), a: a, first: first, q: q,
				view: dashboards.View{From: q.From, To: q.To, Zone: "Europe/Moscow", Plugin: plugin}}
			for _, source := range question.sources {
				t.Run(fmt.Sprintf("plugin %d/%s/%s", plugin, question.name, source), func(t *testing.T) {
					t.Parallel()
					c := c
					c.t, c.source, c.goals = t, source, steps[source]
					if q.Goals != nil {
						c.goals = q.Goals[source]
					}
					c.view.Values = map[string][]string{"source": {source}, "goals": {strings.Join(c.goals, ", ")},
						"window_days": {fmt.Sprint(int(q.Within.Hours() / 24))}, "attribution": {"first"}}
					c.conversion()
				})
			}
			t.Run(fmt.Sprintf("plugin %d/%s/conversations", plugin, question.name), func(t *testing.T) {
				t.Parallel()
				c := c
				c.t = t
				c.conversations()
				c.webhooks()
			})
		}
	}
	t.Run("sums", func(t *testing.T) { sums(t, a, db) })
	t.Run("time zone of the server", func(t *testing.T) { serversTimeZone(t, db) })
}

// comparison compares the panels' answer to a question with the truth.
type comparison struct {
	t      *testing.T
	db     database
	page   *api.Direct // answers the page Analytics
	a      *simulate.Account
	first  time.Time // the account's first request
	q      simulate.Question
	source string
	goals  []string
	view   dashboards.View
}

func (c comparison) see(board, title string) []row {
	c.t.Helper()
	shown := c.db.see(c.t, board, title, c.view)
	if board == conversion && c.view.Plugin == 4 {
		c.samePage(title, shown)
	}
	return shown
}

// equal compares two lists of lines, ignoring their order.
func (c comparison) equal(what string, got, want []string) {
	c.t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		c.t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

func lines[T any](list []T, line func(T) string) (out []string) {
	for _, v := range list {
		out = append(out, line(v))
	}
	return out
}

func byKey[K comparable, V any](m map[K]V, line func(K, V) string) (out []string) {
	for k, v := range m {
		out = append(out, line(k, v))
	}
	return out
}

func (c comparison) conversion() {
	truth := c.truth(c.q)
	before := c.q
	before.From, before.To = c.q.From.Add(-c.q.To.Sub(c.q.From)), c.q.From
	got := c.see(conversion, "Leads and conversions")
	if len(got) != 2 {
		c.t.Fatalf("summary: %d rows, want this period and the one before", len(got))
	}
	note := ""
	if before.From.Before(c.first) {
		note = "no earlier figures"
	}
	if got[0]["Note"] != note || got[1]["Note"] != "" {
		c.t.Errorf("summary: the notes are %q and %q, want %q and none", got[0]["Note"], got[1]["Note"], note)
	}
	for i, want := range [][]string{toCompare(c.truth(before), !before.From.Before(c.first)), figures(truth)} {
		if shown := got[i].figures("Leads", "With a contact", "Converted", "Conversion rate"); !slices.Equal(shown,
			want) {
			c.t.Errorf("summary, row %d: got %q, want %q", i, shown, want)
		}
	}
	c.funnel(truth)
	c.groups(truth)
	c.hygiene(truth)
	for attribution, touches := range map[string][]simulate.Touch{"first": truth.FirstTouch,
		"last": truth.LatestTouch} {
		c.view.Values["attribution"] = []string{attribution}
		c.tags(attribution, touches)
	}
}

// truth returns the account's numbers of the source, with an empty funnel if the source had no leads.
func (c comparison) truth(q simulate.Question) *simulate.Source {
	s := c.a.Truth().Between(q).Sources[c.source]
	if s == nil {
		s = &simulate.Source{}
	}
	if s.Funnel == nil {
		s.Funnel = &simulate.Funnel{}
	}
	return s
}

// figures returns leads, contacts, conversions and rate.
func figures(s *simulate.Source) []string {
	f := s.Funnel
	return []string{shown(float64(f.Leads)), shown(float64(f.Contacts)), shown(float64(f.Conversions)),
		share(f.Conversions, f.Leads)}
}

// toCompare returns the figures of a period to compare another one with. It has none for a period that began before the
// first request, and none in place of 0.
func toCompare(s *simulate.Source, known bool) []string {
	out := figures(s)
	for i, f := range out {
		if !known || f == noFigure || f == shown(0) {
			out[i] = "inf"
		}
	}
	return out
}

// noFigure is a figure without a value.
const noFigure = "none"

func shown(f float64) string { return fmt.Sprintf("%.6f", f) }

func share(part, whole uint64) string {
	if whole == 0 {
		return noFigure
	}
	return shown(float64(part) / float64(whole))
}

// figures returns the numbers of the columns.
func (r row) figures(columns ...string) (out []string) {
	for _, column := range columns {
		switch v := r[column].(type) {
		case nil:
			out = append(out, noFigure)
		case float64:
			out = append(out, shown(v))
		default:
			out = append(out, fmt.Sprint(v))
		}
	}
	return out
}

// firstOf returns the time of the account's first request.
func firstOf(a *simulate.Account) time.Time {
	for v := range a.Visits() {
		return v.At()
	}
	return a.Until
}

func (c comparison) funnel(truth *simulate.Source) {
	var want []string
	for k, goal := range c.goals {
		reached, ofAll, goOn, median := uint64(0), noFigure, noFigure, noFigure
		if k < len(truth.Funnel.Reached) {
			reached = truth.Funnel.Reached[k]
			ofAll = share(truth.Funnel.Reached[k], truth.Funnel.Leads)
		}
		if k > 0 && k < len(truth.Funnel.Reached) {
			goOn = share(reached, truth.Funnel.Reached[k-1])
		}
		if m, ok := truth.MedianStep[goal]; ok && k > 0 {
			median = shown(m / 60)
		}
		if truth.Subscribers > 0 {
			want = append(want, fmt.Sprint(goal, reached, []string{ofAll, goOn, median}))
		}
	}
	c.equal("funnel", lines(c.see(conversion, "Funnel"), func(r row) string {
		return fmt.Sprint(r.s("Step"), r.n("Leads"), r.figures("Of all leads", "Of previous step", "Median time"))
	}), want)
}

func (c comparison) groups(truth *simulate.Source) {
	of := func(name string, f *simulate.Funnel) string {
		return fmt.Sprint(name, " ", f.Leads, " ", f.Contacts, " ", f.Conversions)
	}
	c.equal("messengers", lines(c.see(conversion, "Messengers"), func(r row) string {
		return fmt.Sprint(r.s("Messenger"), " ", r.n("Leads"), " ", r.n("With a contact"), " ", r.n("Converted"))
	}), byKey(truth.Channels, of))
	c.equal("weeks", lines(c.see(conversion, "Weekly cohorts"), func(r row) string {
		return fmt.Sprint(r.s("Week from"), " ", r.n("Leads"), " ", r.n("With a contact"), " ", r.n("Converted"))
	}), byKey(truth.WeekCohorts, of))
	if c.q.To.Sub(c.q.From) > 72*time.Hour {
		c.equal("days", lines(c.see(conversion, "Leads and conversion over time"), func(r row) string {
			return fmt.Sprint(r.s("time")[:10], " ", r.n("Leads"), " ", r.n("Converted"))
		}), byKey(truth.DayCohorts, func(day string, f *simulate.Funnel) string {
			return fmt.Sprint(day, " ", f.Leads, " ", f.Conversions)
		}))
	}
}

func (c comparison) hygiene(truth *simulate.Source) {
	if c.q.Goals == nil && c.q.From.Equal(c.a.From) { // otherwise some subscribers were leads before
		if got := c.see(conversion, "Without UTM tags")[0].n("Leads without tags"); got != truth.Untagged.Subscribers {
			c.t.Errorf("untagged: %d, want %d", got, truth.Untagged.Subscribers)
		}
	}
	var want []string
	for column, values := range truth.Spellings {
		for same, spellings := range values {
			total := uint64(0)
			for _, n := range spellings {
				total += n
			}
			want = append(want, fmt.Sprint(strings.TrimPrefix(column, "utm_"), " ", same, " ", len(spellings), " ",
				total))
		}
	}
	c.equal("spellings", lines(c.see(conversion, "UTM spelling variants"), func(r row) string {
		return fmt.Sprint(r.s("Tag"), " ", r.s("Normalized"), " ",
			strings.Count(r.s("Spellings and requests"), " · ")+1, " ", r.n("Requests"))
	}), want)
}

func (c comparison) tags(attribution string, touches []simulate.Touch) {
	var want []string
	for _, w := range touches {
		if w.Leads > 0 {
			want = append(want, fmt.Sprint(none(w.UTMSource), none(w.UTMMedium), none(w.UTMCampaign), w.Leads, " ",
				w.Conversions))
		}
	}
	shown := c.see(conversion, "Leads by UTM tags")
	c.equal(attribution+" touch", lines(shown, func(r row) string {
		return fmt.Sprint(r.s("UTM source"), r.s("UTM medium"), r.s("UTM campaign"), r.n("Leads"), " ",
			r.n("Converted"))
	}), want)
	if len(shown) > 0 {
		r := shown[0]
		narrow := c
		narrow.view.Values = map[string][]string{}
		for k, v := range c.view.Values {
			narrow.view.Values[k] = v
		}
		narrow.view.Values["utm_source"] = []string{r.s("utm_source_key"), "no-such-one"}
		narrow.view.Values["utm_campaign"] = []string{r.s("utm_campaign_key")}
		narrow.view.Values["utm_medium"] = []string{r.s("utm_medium_key")}
		if only := narrow.see(conversion, "Leads and conversions"); only[1].n("Leads") != r.n("Leads") {
			c.t.Errorf("filtered by %v: %d leads, want %d", narrow.view.Values, only[1].n("Leads"), r.n("Leads"))
		}
	}
}

func none(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func (c comparison) conversations() {
	truth := c.a.Truth().Between(c.q).All
	got := c.see(conversations, "Subscribers")[0]
	want := fmt.Sprint(truth.Subscribers, truth.New, truth.Returning, truth.Closed, truth.Viewed)
	if s := fmt.Sprint(got.n("Active subscribers"), got.n("New"), got.n("Returning"), got.n("Conversations closed"),
		got.n("Profiles viewed")); s != want {
		c.t.Errorf("subscribers: %s, want %s", s, want)
	}
	moscow := time.FixedZone("MSK", 3*3600)
	activity := func(day string, n simulate.Activity) string { return fmt.Sprint(day, " ", n.New, " ", n.Returning) }
	shown := func(r row) string {
		at, err := time.ParseInLocation(time.DateTime, r.s("time"), c.zoneOf(r))
		if err != nil {
			c.t.Fatal(err)
		}
		return fmt.Sprint(at.In(moscow).Format(time.DateOnly), " ", r.n("New"), " ", r.n("Returning"))
	}
	c.equal("days", lines(c.see(conversations, "Active subscribers per day"), shown), byKey(truth.Days, activity))
	c.equal("weeks", lines(c.see(conversations, "Active subscribers per week"), shown), byKey(truth.Weeks, activity))
}

func (c comparison) webhooks() {
	truth := c.a.Truth().Between(c.q)
	shown := c.see(webhooks, "Requests")
	if len(shown) == 0 && truth.All.Events == 0 {
		return
	}
	got := shown[0]
	want := fmt.Sprint(truth.All.Events, " ", truth.All.Events-truth.All.Verdicts["accepted"], " ",
		truth.All.DecodeErrors)
	if s := fmt.Sprint(got.n("Received"), " ", got.n("Rejected"), " ", got.n("Partly unreadable")); s != want {
		c.t.Errorf("requests: %s, want %s", s, want)
	}
	sources := map[string]uint64{}
	for _, r := range c.see(webhooks, "Errors") {
		sources[r.s("Source")] += r.n("Requests")
	}
	for name, s := range truth.Sources {
		if wrong := s.Events - s.Verdicts["accepted"] + s.DecodeErrors; name != "" && sources[name] != wrong {
			c.t.Errorf("rejected or partly unreadable at %s: %d, want %d of %v", name, sources[name], wrong, sources)
		}
	}
}

// zoneOf returns the zone in which a time is midnight: Moscow, or the zone of the same moment in UTC.
func (c comparison) zoneOf(r row) *time.Location {
	if strings.HasSuffix(r.s("time"), "21:00:00") {
		return time.UTC
	}
	return time.FixedZone("MSK", 3*3600)
}

// sums verifies that parts add up to their total.
func sums(t *testing.T, a *simulate.Account, db database) {
	v := dashboards.View{From: a.From, To: a.Until, Zone: "Asia/Tokyo", Plugin: 4,
		Values: map[string][]string{"source": {"course"},
			"goals": {"start,paid"}, "window_days": {"30"}, "attribution": {"first"}}}
	want := db.see(t, conversion, "Leads and conversions", v)[1].n("Leads")
	for _, title := range []string{"Leads by UTM tags", "UTM content and term", "Messengers", "Weekly cohorts",
		"Leads and conversion over time"} {
		sum := uint64(0)
		for _, r := range db.see(t, conversion, title, v) {
			sum += r.n("Leads")
		}
		if sum != want && title != "UTM content and term" || sum > want { // that table shows at most 500 rows
			t.Errorf("%s: %d leads, want %d", title, sum, want)
		}
	}
	hours, requests := uint64(0), uint64(0)
	for _, r := range db.see(t, conversations, "Activity by hour of the week", v) {
		for h := range 24 {
			hours += r.n(fmt.Sprintf("%02d", h))
		}
	}
	for batch := range a.Batches(simulate.BatchSize) {
		for _, e := range a.Events(batch) {
			if e.Verdict == event.Accepted && e.BothelpUserID != "" {
				requests++
			}
		}
	}
	if hours != requests {
		t.Errorf("hours: %d requests, want %d", hours, requests)
	}
}
