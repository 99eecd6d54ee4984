package simulate

import (
	"slices"
	"strings"
	"time"
)

// tally counts lives.
type tally struct {
	*Account
	q        Question
	from, to int64
	within   int64
	all      *Source
	sources  map[string]*Source
	goals    map[string][]string
	names    []string // of the sources, each once
	seen     []*visit // of the subscriber at hand, to one source or all
}

func newTally(a *Account, q Question) *tally {
	t := &tally{Account: a, q: q, from: q.From.UnixMicro(), to: q.To.UnixMicro(), within: q.Within.Microseconds(),
		all: newSource(), sources: map[string]*Source{}, goals: map[string][]string{}}
	courseSteps, webinarSteps := Steps()
	t.goals[a.Sources.Webinar] = webinarSteps
	t.goals[a.Sources.Course] = courseSteps
	for source, goals := range q.Goals {
		t.goals[source] = goals
	}
	t.names = slices.Compact(slices.Sorted(slices.Values(a.sources[:chat+1])))
	return t
}

func newSource() *Source {
	s := &Source{Verdicts: map[string]uint64{}, Kinds: map[string]uint64{}, Days: map[string]Activity{},
		Weeks: map[string]Activity{}, StepEvents: map[string]uint64{}, Steps: map[string]uint64{}, Funnel: &Funnel{},
		Channels: map[string]*Funnel{}, DayCohorts: map[string]*Funnel{}, WeekCohorts: map[string]*Funnel{},
		stepTimes: map[string][]int64{}, tagged: map[*campaign]uint64{}}
	for i := range s.touches {
		s.touches[i] = map[tags]*Touch{}
	}
	return s
}

func (t *tally) source(name string) *Source {
	s, ok := t.sources[name]
	if !ok {
		s = newSource()
		t.sources[name] = s
	}
	return s
}

func (t *tally) inside(v *visit) bool { return v.at >= t.from && v.at < t.to }

// add counts one life.
func (t *tally) add(l *life) {
	for i := range l.visits {
		if v := &l.visits[i]; t.inside(v) {
			t.count(t.source(t.sourceOf(v)), v)
			t.count(t.all, v)
		}
	}
	for _, name := range t.names {
		t.seen = t.seen[:0]
		for i := range l.visits {
			if v := &l.visits[i]; !v.nobody() && t.sourceOf(v) == name {
				t.seen = append(t.seen, v)
			}
		}
		t.subscriber(name, l)
	}
	t.seen = t.seen[:0]
	for i := range l.visits {
		if v := &l.visits[i]; !v.nobody() {
			t.seen = append(t.seen, v)
		}
	}
	t.activity(t.all)
	t.reached(t.all)
	t.contacts(t.all)
}

// count counts one request.
func (t *tally) count(s *Source, v *visit) {
	s.Events++
	s.Verdicts[string(v.verdict())]++
	if v.flow == stranger {
		return
	}
	s.Kinds[string(v.kind())]++
	if v.damage != whole {
		s.DecodeErrors++
	}
	switch {
	case v.repeats():
		s.Duplicates++
	case v.flow == chat && v.step == closed:
		s.Closed++
	case v.flow == chat:
		s.Viewed++
	}
	if v.flow != chat {
		s.StepEvents[stepOf(v)]++
	}
	if !v.isFlow() {
		return
	}
	s.tagged[v.tags()]++
}

// fold makes one of spellings that differ only in case and in spaces around.
func fold(s string) string { return strings.ToLower(strings.Trim(s, " ")) }

// subscriber counts what one subscriber, whose visits to a source are in t.seen, did there.
func (t *tally) subscriber(name string, l *life) {
	if len(t.seen) == 0 {
		return
	}
	s := t.source(name)
	t.activity(s)
	t.reached(s)
	contact := t.contacts(s)
	goals := t.goals[name]
	if len(goals) == 0 {
		return
	}
	lead := t.first(goals[0])
	levels, done := t.levels(goals)
	if lead != 0 {
		for _, f := range []*Funnel{s.Funnel, funnel(s.Channels, channels[l.channel].name),
			funnel(s.DayCohorts, dayOf(lead)), funnel(s.WeekCohorts, weekOf(lead))} {
			f.count(len(goals), levels, contact != 0)
		}
	}
	t.touch(s, lead, done, contact)
	t.durations(s, goals)
}

// activity counts the days and weeks in which the subscriber of t.seen was active, and whether for the first time.
func (t *tally) activity(s *Source) {
	if len(t.seen) == 0 {
		return
	}
	first, active := t.seen[0].at, false
	lastDay, lastWeek := "", ""
	for _, v := range t.seen {
		if !t.inside(v) {
			continue
		}
		active = true
		if d := dayOf(v.at); d != lastDay {
			lastDay = d
			s.Days[d] = s.Days[d].plus(first >= t.from && d == dayOf(first))
		}
		if w := weekOf(v.at); w != lastWeek {
			lastWeek = w
			s.Weeks[w] = s.Weeks[w].plus(first >= t.from && w == weekOf(first))
		}
	}
	switch {
	case !active:
	case first >= t.from:
		s.Subscribers++
		s.New++
	default:
		s.Subscribers++
		s.Returning++
	}
}

func (a Activity) plus(isNew bool) Activity {
	a.Active++
	if isNew {
		a.New++
	} else {
		a.Returning++
	}
	return a
}

// reached counts the steps that the subscriber of t.seen was at, and whether any had tags.
func (t *tally) reached(s *Source) {
	var steps [2]uint16 // by flow, a bit for each step
	flowEvents, tagged := false, false
	for _, v := range t.seen {
		if !t.inside(v) || !v.isFlow() {
			continue
		}
		flowEvents = true
		tagged = tagged || v.tags() != untagged
		if steps[v.flow]&(1<<v.step) == 0 {
			steps[v.flow] |= 1 << v.step
			s.Steps[stepOf(v)]++
		}
	}
	if flowEvents && !tagged {
		s.Untagged.Subscribers++
	}
}

// contacts counts whether e-mail or phone of the subscriber of t.seen are known, and returns since when, 0 if never.
func (t *tally) contacts(s *Source) (since int64) {
	mail, phone := false, false
	for _, v := range t.seen {
		if !t.inside(v) || !v.isFlow() {
			continue
		}
		if since == 0 && (v.mail || v.phone) {
			since = v.at
			s.Contacts++
		}
		if v.mail && !mail {
			mail = true
			s.Emails++
		}
		if v.phone && !phone {
			phone = true
			s.Phones++
		}
	}
	return since
}

// first is when the subscriber was first at a step, 0 if never.
func (t *tally) first(step string) int64 {
	for _, v := range t.seen {
		if t.inside(v) && v.isFlow() && stepOf(v) == step {
			return v.at
		}
	}
	return 0
}

// dayOf and weekOf name a day, and a week by its Monday, in Zone.
func dayOf(at int64) string { return time.UnixMicro(at).In(Zone).Format(time.DateOnly) }
func weekOf(at int64) string {
	t := time.UnixMicro(at).In(Zone)
	return t.AddDate(0, 0, -int(t.Weekday()+6)%7).Format(time.DateOnly)
}
