package simulate_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/simulate"
)

var until = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func account(t testing.TB, change func(*simulate.Options)) *simulate.Account {
	t.Helper()
	o := simulate.DefaultOptions(until, 30)
	o.Subscribers = 400
	if change != nil {
		change(&o)
	}
	a, err := simulate.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// all returns all requests of an account, decoded as the drain does.
func all(a *simulate.Account) (events []event.Event) {
	for batch := range a.Batches(simulate.BatchSize) {
		events = append(events, a.Events(batch)...)
	}
	return events
}

// TestTruth compares the truth with a count of the decoded requests.
func TestTruth(t *testing.T) {
	for name, change := range map[string]func(*simulate.Options){
		"usual": nil,
		"one source": func(o *simulate.Options) {
			o.Sources = simulate.Sources{Course: "demo", Webinar: "demo", Chat: "demo"}
		},
		"fast": func(o *simulate.Options) { o.Speed, o.Even = 400, true },
	} {
		t.Run(name, func(t *testing.T) {
			a := account(t, change)
			events := all(a)
			for _, q := range []simulate.Question{
				{From: a.From, To: a.Until, Within: 24 * time.Hour},
				{From: a.From, To: a.Until, Within: 30 * 24 * time.Hour},
				{From: until.Add(-9*24*time.Hour - 7*time.Hour), To: until.Add(-2 * 24 * time.Hour),
					Within: 2 * time.Hour},
				{From: until.Add(-20 * 24 * time.Hour), To: until, Within: 72 * time.Hour,
					Goals: map[string][]string{"course": {"offer", "payment"},
						"webinar": {"webinar", "watched", "оплата"}}},
				{From: until.Add(-90 * time.Minute), To: until, Within: time.Hour},
			} {
				got := asJSON(t, a.Truth().Between(q))
				want := asJSON(t, recount(a, events, q))
				if got != want {
					t.Errorf("%s to %s within %s:\n%s", q.From, q.To, q.Within, difference(got, want))
				}
			}
		})
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			from := max(0, i-6)
			return fmt.Sprintf("line %d: got\n%s\nwant\n%s", i, strings.Join(g[from:min(i+4, len(g))], "\n"),
				strings.Join(w[from:min(i+4, len(w))], "\n"))
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}

// recount computes the truth from decoded events alone, simply instead of fast.
func recount(a *simulate.Account, events []event.Event, q simulate.Question) simulate.Report {
	r := simulate.Report{From: q.From.UTC(), To: q.To.UTC(), Within: q.Within.String(),
		Sources: map[string]*simulate.Source{}}
	courseSteps, webinarSteps := simulate.Steps()
	goals := map[string][]string{a.Sources.Webinar: webinarSteps}
	goals[a.Sources.Course] = courseSteps
	for source, list := range q.Goals {
		goals[source] = list
	}
	bySource := map[string][]event.Event{}
	for _, e := range events {
		bySource[e.Source] = append(bySource[e.Source], e)
	}
	for source, list := range bySource {
		if s := recountSource(list, q, goals[source]); s.Events > 0 {
			r.Sources[source] = s
		}
	}
	r.All = recountSource(events, q, nil)
	return r
}

func recountSource(events []event.Event, q simulate.Question, goals []string) *simulate.Source {
	s := &simulate.Source{Verdicts: map[string]uint64{}, Kinds: map[string]uint64{}, StepEvents: map[string]uint64{},
		Steps: map[string]uint64{}, Days: map[string]simulate.Activity{}, Weeks: map[string]simulate.Activity{},
		Channels:   map[string]*simulate.Funnel{},
		DayCohorts: map[string]*simulate.Funnel{}, WeekCohorts: map[string]*simulate.Funnel{},
		Funnel:    &simulate.Funnel{},
		Spellings: map[string]map[string]map[string]uint64{}, MedianStep: map[string]float64{}}
	people := map[string][]event.Event{}
	everFirst := map[string]time.Time{}
	for _, e := range events {
		if e.Verdict == event.Accepted && e.BothelpUserID != "" {
			if _, seen := everFirst[e.BothelpUserID]; !seen {
				everFirst[e.BothelpUserID] = e.ReceivedAt
			}
		}
		if e.ReceivedAt.Before(q.From) || !e.ReceivedAt.Before(q.To) {
			continue
		}
		s.Events++
		s.Verdicts[string(e.Verdict)]++
		if e.Verdict != event.Accepted {
			continue
		}
		s.Kinds[string(e.Kind)]++
		if e.DecodeError != "" {
			s.DecodeErrors++
		}
		if e.DuplicateOf != uuid.Nil {
			s.Duplicates++
		} else if e.Kind == event.KindConversationClosed {
			s.Closed++
		} else if e.Kind == event.KindUserProfileViewed {
			s.Viewed++
		}
		if e.Step != "" {
			s.StepEvents[e.Step]++
		}
		if e.Kind == event.KindFlow {
			for field, value := range map[string]string{"utm_source": e.UTMSource, "utm_medium": e.UTMMedium,
				"utm_campaign": e.UTMCampaign} {
				key := strings.ToLower(strings.TrimSpace(value))
				if key == "" {
					continue
				}
				if s.Spellings[field] == nil {
					s.Spellings[field] = map[string]map[string]uint64{}
				}
				if s.Spellings[field][key] == nil {
					s.Spellings[field][key] = map[string]uint64{}
				}
				s.Spellings[field][key][value]++
			}
			if untagged(e) {
				s.Untagged.Events++
			}
		}
		if e.BothelpUserID != "" {
			people[e.BothelpUserID] = append(people[e.BothelpUserID], e)
		}
	}
	for field, folded := range s.Spellings {
		for key, spellings := range folded {
			if len(spellings) < 2 {
				delete(folded, key)
			}
		}
		if len(folded) == 0 {
			delete(s.Spellings, field)
		}
	}
	touches := [3]map[[3]string]*simulate.Touch{{}, {}, {}}
	var ends []time.Duration
	stepTimes := map[string][]time.Duration{}
	for id, list := range people {
		s.Subscribers++
		isNew := !everFirst[id].Before(q.From)
		if isNew {
			s.New++
		} else {
			s.Returning++
		}
		countActive(s.Days, list, everFirst[id], isNew, dayOf)
		countActive(s.Weeks, list, everFirst[id], isNew, weekOf)
		flow := slices.DeleteFunc(slices.Clone(list), func(e event.Event) bool { return e.Kind != event.KindFlow })
		steps := map[string]bool{}
		var mail, phone bool
		var contact time.Time
		for _, e := range flow {
			steps[e.Step] = true
			mail, phone = mail || e.Email != "", phone || e.Phone != ""
			if contact.IsZero() && (mail || phone) {
				contact = e.ReceivedAt
			}
		}
		for step := range steps {
			s.Steps[step]++
		}
		s.Emails += one(mail)
		s.Phones += one(phone)
		s.Contacts += one(mail || phone)
		if len(flow) > 0 && !slices.ContainsFunc(flow, func(e event.Event) bool { return !untagged(e) }) {
			s.Untagged.Subscribers++
		}
		if goals == nil {
			continue
		}
		lead := firstAt(flow, goals[0])
		reached, done := chains(flow, goals, q.Within)
		if !lead.IsZero() {
			for _, f := range []*simulate.Funnel{s.Funnel, at(s.Channels, flow[0].Channel),
				at(s.DayCohorts, dayOf(lead)), at(s.WeekCohorts, weekOf(lead))} {
				if f.Reached == nil {
					f.Reached = make([]uint64, len(goals))
				}
				f.Leads++
				for k := range reached {
					f.Reached[k]++
				}
				f.Conversions += one(reached == len(goals))
				f.Contacts += one(!contact.IsZero())
			}
		}
		for i, moment := range []time.Time{lead, done, contact} {
			if moment.IsZero() {
				continue
			}
			for which, key := range [][3]string{firstTouch(flow), lastTouch(flow, moment),
				lastTouch(flow, q.To)} {
				g := touches[which][key]
				if g == nil {
					g = &simulate.Touch{UTMSource: key[0], UTMMedium: key[1], UTMCampaign: key[2]}
					touches[which][key] = g
				}
				*[]*uint64{&g.Leads, &g.Conversions, &g.Contacts}[i]++
			}
		}
		for k := 1; k < len(goals); k++ {
			a, b := firstAt(flow, goals[k-1]), firstAt(flow, goals[k])
			if !a.IsZero() && !b.IsZero() && !b.Before(a) {
				stepTimes[goals[k]] = append(stepTimes[goals[k]], b.Sub(a))
			}
		}
		if end := firstAt(flow, goals[len(goals)-1]); !lead.IsZero() && !end.IsZero() && !end.Before(lead) {
			ends = append(ends, end.Sub(lead))
		}
	}
	for step, times := range stepTimes {
		s.MedianStep[step] = middle(times)
	}
	s.MedianToConvert = middle(ends)
	if s.Funnel.Leads == 0 {
		s.Funnel = nil
	}
	s.FirstTouch = sorted(touches[0])
	s.LastTouch = sorted(touches[1])
	s.LatestTouch = sorted(touches[2])
	return s
}

func one(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

func untagged(e event.Event) bool {
	return e.UTMSource+e.UTMMedium+e.UTMCampaign+e.UTMContent+e.UTMTerm == ""
}

func at(m map[string]*simulate.Funnel, key string) *simulate.Funnel {
	if m[key] == nil {
		m[key] = &simulate.Funnel{}
	}
	return m[key]
}

var moscow = time.FixedZone("Moscow", 3*3600)

func dayOf(t time.Time) string { return t.In(moscow).Format(time.DateOnly) }

func weekOf(t time.Time) string {
	t = t.In(moscow)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7).Format(time.DateOnly)
}

func countActive(m map[string]simulate.Activity, list []event.Event, first time.Time, isNew bool,
	name func(time.Time) string) {
	seen := map[string]bool{}
	for _, e := range list {
		key := name(e.ReceivedAt)
		if seen[key] {
			continue
		}
		seen[key] = true
		a := m[key]
		a.Active++
		a.New += one(isNew && key == name(first))
		a.Returning += one(!isNew || key != name(first))
		m[key] = a
	}
}

func firstAt(flow []event.Event, step string) time.Time {
	for _, e := range flow {
		if e.Step == step {
			return e.ReceivedAt
		}
	}
	return time.Time{}
}

// chains tries every visit to the first step as the beginning of a funnel.
func chains(flow []event.Event, goals []string, within time.Duration) (reached int, done time.Time) {
	for i, begin := range flow {
		if begin.Step != goals[0] {
			continue
		}
		level := 1
		for _, e := range flow[i+1:] {
			if level < len(goals) && e.Step == goals[level] && e.ReceivedAt.Sub(begin.ReceivedAt) <= within {
				level++
				if level == len(goals) && (done.IsZero() || e.ReceivedAt.Before(done)) {
					done = e.ReceivedAt
				}
			}
		}
		reached = max(reached, level)
	}
	return reached, done
}

func tagsOf(e event.Event) [3]string { return [3]string{e.UTMSource, e.UTMMedium, e.UTMCampaign} }

func firstTouch(flow []event.Event) [3]string {
	for _, e := range flow {
		if key := tagsOf(e); key != [3]string{} {
			return key
		}
	}
	return [3]string{}
}

func lastTouch(flow []event.Event, until time.Time) (last [3]string) {
	for _, e := range flow {
		if key := tagsOf(e); key != [3]string{} && !e.ReceivedAt.After(until) {
			last = key
		}
	}
	return last
}

func middle(times []time.Duration) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1e6
}

func sorted(m map[[3]string]*simulate.Touch) []simulate.Touch {
	list := []simulate.Touch{}
	for _, t := range m {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b simulate.Touch) int {
		return cmp.Or(cmp.Compare(b.Leads, a.Leads), cmp.Compare(a.UTMSource, b.UTMSource),
			cmp.Compare(a.UTMMedium, b.UTMMedium), cmp.Compare(a.UTMCampaign, b.UTMCampaign))
	})
	return list
}
