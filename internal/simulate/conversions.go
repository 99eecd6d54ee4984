package simulate

import (
	"cmp"
	"slices"
)

// levels returns the number of goals that the subscriber reached in order and within the window, and when the last goal
// was first reached, 0 if never. For each level it keeps the latest start that leads there, because its window closes
// last.
func (t *tally) levels(goals []string) (reached int, done int64) {
	var began [32]int64
	for _, v := range t.seen {
		if !t.inside(v) || !v.isFlow() {
			continue
		}
		name := stepOf(v)
		for k := min(len(goals), len(began)) - 1; k >= 0; k-- {
			if goals[k] != name {
				continue
			}
			if k == 0 {
				began[0] = v.at
			} else if began[k-1] != 0 && v.at-began[k-1] <= t.within {
				began[k] = began[k-1]
			} else {
				continue
			}
			reached = max(reached, k+1)
			if k == len(goals)-1 && done == 0 {
				done = v.at
			}
		}
	}
	return reached, done
}

func funnel(m map[string]*Funnel, key string) *Funnel {
	f, ok := m[key]
	if !ok {
		f = &Funnel{}
		m[key] = f
	}
	return f
}

func (f *Funnel) count(goals, reached int, contact bool) {
	if f.Reached == nil {
		f.Reached = make([]uint64, goals)
	}
	f.Leads++
	for k := range reached {
		f.Reached[k]++
	}
	if reached == goals {
		f.Conversions++
	}
	if contact {
		f.Contacts++
	}
}

// tags are the three by which conversions are told apart.
type tags struct{ source, medium, campaign string }

// touch counts a lead, a conversion and a contact under the tags of the first touch, of the last one until then, and of
// the last one of all.
func (t *tally) touch(s *Source, lead, done, contact int64) {
	var first, latest tags
	for _, v := range t.seen {
		if c := t.tagsOf(v); c != (tags{}) {
			if first == (tags{}) {
				first = c
			}
			latest = c
		}
	}
	for i, at := range []int64{lead, done, contact} {
		if at == 0 {
			continue
		}
		keys := [3]tags{first, t.lastTouch(at), latest}
		for which, key := range keys {
			g := s.touches[which][key]
			if g == nil {
				g = &Touch{UTMSource: key.source, UTMMedium: key.medium, UTMCampaign: key.campaign}
				s.touches[which][key] = g
			}
			switch i {
			case 0:
				g.Leads++
			case 1:
				g.Conversions++
			case 2:
				g.Contacts++
			}
		}
	}
}

// tagsOf are a visit's tags, none if it is outside of the range.
func (t *tally) tagsOf(v *visit) tags {
	if !t.inside(v) || !v.isFlow() {
		return tags{}
	}
	c := v.tags()
	return tags{c.source, c.medium, c.name}
}

func (t *tally) lastTouch(until int64) (last tags) {
	for _, v := range t.seen {
		if v.at > until {
			break
		}
		if c := t.tagsOf(v); c != (tags{}) {
			last = c
		}
	}
	return last
}

// durations keeps the times between the first visits to steps that follow each other.
func (t *tally) durations(s *Source, goals []string) {
	begin := t.first(goals[0])
	before := begin
	for k, step := range goals[1:] {
		at := t.first(step)
		if before != 0 && at != 0 && at >= before {
			s.stepTimes[step] = append(s.stepTimes[step], at-before)
		}
		if k == len(goals)-2 && begin != 0 && at >= begin {
			s.timesToEnd = append(s.timesToEnd, at-begin)
		}
		before = at
	}
}

func sortTouches(m map[tags]*Touch) []Touch {
	list := make([]Touch, 0, len(m))
	for _, t := range m {
		list = append(list, *t)
	}
	slices.SortFunc(list, func(a, b Touch) int {
		return cmp.Or(cmp.Compare(b.Leads, a.Leads), cmp.Compare(a.UTMSource, b.UTMSource),
			cmp.Compare(a.UTMMedium, b.UTMMedium), cmp.Compare(a.UTMCampaign, b.UTMCampaign))
	})
	return list
}
