package simulate

import (
	"maps"
	"slices"
	"time"
)

// Question asks the truth for a range of time.
type Question struct {
	From, To time.Time // requests received at or after From and before To
	// Within is how long after its first step a funnel may be completed.
	Within time.Duration
	// Goals are the steps of each source's funnel, in order; the last is the conversion. A source without any has the
	// funnel of its flow (of the course, where it has both).
	Goals map[string][]string
}

// Report is the truth about a range of time. Sources has each source by its name; All is the account as if it were one
// source, without what depends on a funnel.
type Report struct {
	From    time.Time          `json:"from"`
	To      time.Time          `json:"to"`
	Within  string             `json:"within"`
	All     *Source            `json:"all"`
	Sources map[string]*Source `json:"sources"`
}

// Source is the truth about one source. Each field's meaning is in the package's documentation.
type Source struct {
	Events       uint64            `json:"events"`
	Verdicts     map[string]uint64 `json:"verdicts"`
	Kinds        map[string]uint64 `json:"kinds"` // of accepted events
	DecodeErrors uint64            `json:"decode_errors"`
	Duplicates   uint64            `json:"duplicates"`
	Closed       uint64            `json:"conversations_closed"` // without duplicates
	Viewed       uint64            `json:"profiles_viewed"`      // without duplicates

	Subscribers uint64              `json:"subscribers"`
	New         uint64              `json:"new"`
	Returning   uint64              `json:"returning"`
	Days        map[string]Activity `json:"active_by_day"`
	Weeks       map[string]Activity `json:"active_by_week"`

	StepEvents map[string]uint64 `json:"step_events,omitempty"`
	Steps      map[string]uint64 `json:"steps,omitempty"`

	Funnel          *Funnel            `json:"funnel,omitempty"`
	Channels        map[string]*Funnel `json:"by_channel,omitempty"`
	DayCohorts      map[string]*Funnel `json:"by_day_cohort,omitempty"`
	WeekCohorts     map[string]*Funnel `json:"by_week_cohort,omitempty"`
	FirstTouch      []Touch            `json:"first_touch,omitempty"`
	LastTouch       []Touch            `json:"last_touch,omitempty"`
	LatestTouch     []Touch            `json:"latest_touch,omitempty"`
	MedianStep      map[string]float64 `json:"median_seconds_to_step,omitempty"`
	MedianToConvert float64            `json:"median_seconds_to_convert,omitempty"`

	Contacts uint64 `json:"contacts"` // subscribers with an e-mail address or a phone number
	Emails   uint64 `json:"emails"`
	Phones   uint64 `json:"phones"`

	Untagged  Untagged                                `json:"untagged"`
	Spellings map[string]map[string]map[string]uint64 `json:"spellings,omitempty"`

	// While counting, with times in microseconds.
	tagged     map[*campaign]uint64
	touches    [3]map[tags]*Touch
	stepTimes  map[string][]int64
	timesToEnd []int64
}

// Activity is how many subscribers were active in a day or week.
type Activity struct {
	Active    uint64 `json:"active"`
	New       uint64 `json:"new"`
	Returning uint64 `json:"returning"`
}

// Funnel counts how far a group of leads got. Reached has the number of leads that reached each goal.
type Funnel struct {
	Leads       uint64   `json:"leads"`
	Reached     []uint64 `json:"reached"`
	Conversions uint64   `json:"conversions"`
	Contacts    uint64   `json:"contacts"`
}

// Touch is what one combination of tags brought.
type Touch struct {
	UTMSource   string `json:"utm_source"`
	UTMMedium   string `json:"utm_medium"`
	UTMCampaign string `json:"utm_campaign"`
	Leads       uint64 `json:"leads"`
	Conversions uint64 `json:"conversions"`
	Contacts    uint64 `json:"contacts"`
}

// Untagged counts flow events of known subscribers that have no UTM tag at all, and subscribers who have only such.
type Untagged struct {
	Events      uint64 `json:"events"`
	Subscribers uint64 `json:"subscribers"`
}

// Truth computes reports for any range of time from the account's lives. It stores nothing between calls.
type Truth struct{ a *Account }

// Truth returns the truth about the account.
func (a *Account) Truth() Truth { return Truth{a} }

// Between answers a question.
func (t Truth) Between(q Question) Report {
	counted := newTally(t.a, q)
	var l life
	for n := range uint64(t.a.Subscribers) {
		t.a.live(&l, n)
		counted.add(&l)
	}
	return counted.report()
}

// median is the element in the middle, of an even number the later of the two: ClickHouse's quantileExact(0.5).
func median(list []int64) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return float64(list[len(list)/2]) / 1e6
}

// report ends the counting.
func (t *tally) report() Report {
	r := Report{From: t.q.From.UTC(), To: t.q.To.UTC(), Within: t.q.Within.String(), All: t.all, Sources: t.sources}
	for name, s := range t.sources {
		if s.Events == 0 { // its events are outside the range
			delete(t.sources, name)
			continue
		}
		s.finish()
	}
	t.all.finish()
	return r
}

// finish computes the exported fields from the counts.
func (s *Source) finish() {
	s.FirstTouch = sortTouches(s.touches[0])
	s.LastTouch = sortTouches(s.touches[1])
	s.LatestTouch = sortTouches(s.touches[2])
	s.MedianToConvert, s.MedianStep = median(s.timesToEnd), map[string]float64{}
	for step, times := range s.stepTimes {
		s.MedianStep[step] = median(times)
	}
	if s.Funnel.Leads == 0 {
		s.Funnel = nil
	}
	s.spell()
}

// spell finds the values of each column that differ only in case and spaces.
func (s *Source) spell() {
	s.Untagged.Events = s.tagged[untagged]
	s.Spellings = map[string]map[string]map[string]uint64{"utm_source": {}, "utm_medium": {}, "utm_campaign": {}}
	for c, n := range s.tagged {
		for column, value := range map[string]string{"utm_source": c.source, "utm_medium": c.medium,
			"utm_campaign": c.name} {
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
	maps.DeleteFunc(s.Spellings, func(_ string, spellings map[string]map[string]uint64) bool {
		return len(spellings) == 0
	})
}
