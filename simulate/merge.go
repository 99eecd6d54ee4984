package simulate

import "maps"

// merge adds what another tally counted.
func (t *tally) merge(o *tally) {
	t.all.merge(o.all)
	for name, s := range o.sources {
		t.source(name).merge(s)
	}
}

func (s *Source) merge(o *Source) {
	s.Events += o.Events
	s.DecodeErrors += o.DecodeErrors
	s.Duplicates += o.Duplicates
	s.Closed += o.Closed
	s.Viewed += o.Viewed
	s.Subscribers += o.Subscribers
	s.New += o.New
	s.Returning += o.Returning
	s.Contacts += o.Contacts
	s.Emails += o.Emails
	s.Phones += o.Phones
	s.Untagged.Subscribers += o.Untagged.Subscribers
	addCounts(s.Verdicts, o.Verdicts)
	addCounts(s.Kinds, o.Kinds)
	addCounts(s.StepEvents, o.StepEvents)
	addCounts(s.Steps, o.Steps)
	addActivity(s.days, o.days)
	addActivity(s.weeks, o.weeks)
	s.Funnel.merge(o.Funnel)
	addFunnels(s.Channels, o.Channels)
	addFunnels(s.dayCohorts, o.dayCohorts)
	addFunnels(s.weekCohorts, o.weekCohorts)
	for i := range s.touches {
		for key, touch := range o.touches[i] {
			mine, ok := s.touches[i][key]
			if !ok {
				s.touches[i][key] = touch
				continue
			}
			mine.Leads += touch.Leads
			mine.Conversions += touch.Conversions
			mine.Contacts += touch.Contacts
		}
	}
	for step, times := range o.stepTimes {
		s.stepTimes[step] = append(s.stepTimes[step], times...)
	}
	s.timesToEnd = append(s.timesToEnd, o.timesToEnd...)
	addCounts(s.tagged, o.tagged)
}

func addCounts[K comparable](to, from map[K]uint64) {
	for key, n := range from {
		to[key] += n
	}
}

func addActivity(to, from map[int64]Activity) {
	for key, a := range from {
		b := to[key]
		to[key] = Activity{b.Active + a.Active, b.New + a.New, b.Returning + a.Returning}
	}
}

func addFunnels[K comparable](to, from map[K]*Funnel) {
	for key, f := range from {
		funnel(to, key).merge(f)
	}
}

func (f *Funnel) merge(o *Funnel) {
	if f.Reached == nil {
		f.Reached = make([]uint64, len(o.Reached))
	}
	f.Leads += o.Leads
	f.Conversions += o.Conversions
	f.Contacts += o.Contacts
	for k, n := range o.Reached {
		f.Reached[k] += n
	}
}

// report ends the counting.
func (t *tally) report() Report {
	r := Report{From: t.q.From.UTC(), To: t.q.To.UTC(), Within: t.q.Within.String(), All: t.all, Sources: t.sources}
	for name, s := range t.sources {
		if s.Events == 0 { // of somebody who came at another time
			delete(t.sources, name)
			continue
		}
		s.finish()
	}
	t.all.finish()
	return r
}

// finish makes of what was counted what is shown.
func (s *Source) finish() {
	s.Days, s.Weeks = named(s.days, dayName), named(s.weeks, weekName)
	s.DayCohorts, s.WeekCohorts = named(s.dayCohorts, dayName), named(s.weekCohorts, weekName)
	s.FirstTouch, s.LastTouch, s.LatestTouch = sortTouches(s.touches[0]), sortTouches(s.touches[1]), sortTouches(s.touches[2])
	s.MedianToConvert, s.MedianStep = median(s.timesToEnd), map[string]float64{}
	for step, times := range s.stepTimes {
		s.MedianStep[step] = median(times)
	}
	if s.Funnel.Leads == 0 {
		s.Funnel = nil
	}
	s.spell()
}

// spell tells of each column's values which of them differ only in case and spaces.
func (s *Source) spell() {
	s.Untagged.Events = s.tagged[untagged]
	s.Spellings = map[string]map[string]map[string]uint64{"utm_source": {}, "utm_medium": {}, "utm_campaign": {}}
	for c, n := range s.tagged {
		for column, value := range map[string]string{"utm_source": c.source, "utm_medium": c.medium, "utm_campaign": c.name} {
			if value == "" {
				continue
			}
			spellings := s.Spellings[column]
			if spellings[fold(value)] == nil {
				spellings[fold(value)] = map[string]uint64{}
			}
			spellings[fold(value)][value] += n
		}
	}
	for _, spellings := range s.Spellings {
		maps.DeleteFunc(spellings, func(_ string, of map[string]uint64) bool { return len(of) < 2 })
	}
	maps.DeleteFunc(s.Spellings, func(_ string, spellings map[string]map[string]uint64) bool { return len(spellings) == 0 })
}
