package store

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Days is how long something is kept. The zero value says nothing: then what is more general counts, and in the end
// Forever.
type Days uint32

// Forever is 68 years: a time of expiry beyond the year 2105 is one that ClickHouse's system tables can no longer show.
const Forever Days = 25_000

// MaxDays is the longest that can be asked for and is not Forever.
const MaxDays Days = 18_250

// String is such as 90d.
func (d Days) String() string {
	if d == 0 || d >= Forever {
		return "for ever"
	}
	return fmt.Sprintf("%dd", uint32(d))
}

// ParseDays reads days as the configuration has them: 90d, or forever.
func ParseDays(text string) (Days, error) {
	if text == "forever" {
		return Forever, nil
	}
	digits, ok := strings.CutSuffix(text, "d")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > uint64(MaxDays) {
		return 0, fmt.Errorf("invalid days %q: want 1d to %s, or forever", text, MaxDays)
	}
	return Days(n), nil
}

// Retention says how long rows are kept at least; they go in the night after. It counts from their receipt (attempts: from their beginning; deliveries and
// replays: from their end; spans: from their start).
type Retention struct {
	Events   Days                       `yaml:"events"`   // whole events, and those in quarantine
	Bodies   Days                       `yaml:"bodies"`   // their raw bodies; what was read from them and their hashes stay
	Rejected Days                       `yaml:"rejected"` // events that were not accepted, if that is shorter
	Attempts Days                       `yaml:"attempts"` // attempts, deliveries and replays that are at their end
	Traces   Days                       `yaml:"traces"`
	Sources  map[string]SourceRetention `yaml:"-"`
}

// DefaultRetention is in force where nothing else is configured: anyone can send requests that are rejected.
var DefaultRetention = Retention{Events: Forever, Bodies: Forever, Rejected: 30, Attempts: Forever, Traces: Forever}

// SourceRetention is what differs for the events of a source.
type SourceRetention struct {
	Events Days `yaml:"events"`
	Bodies Days `yaml:"bodies"`
}

// keep is how long the rows of a table, or the values of a column, are kept.
type keep struct {
	all      Days
	sources  map[string]Days // in place of all
	rejected Days            // at most, for what was not accepted
}

func (r Retention) events() keep {
	return keep{all: r.Events, rejected: r.Rejected, sources: r.bySource(func(s SourceRetention) Days { return s.Events })}
}

func (r Retention) bodies() keep {
	return keep{all: r.Bodies, sources: r.bySource(func(s SourceRetention) Days { return s.Bodies })}
}

// quarantine has no verdict: what is refused by ClickHouse was accepted.
func (r Retention) quarantine() keep {
	k := r.events()
	k.rejected = 0
	return k
}

func (r Retention) bySource(of func(SourceRetention) Days) map[string]Days {
	sources := map[string]Days{}
	for name, s := range r.Sources {
		if d := of(s); d != 0 {
			sources[name] = d
		}
	}
	return sources
}

// forever tells whether nothing ever expires.
func (k keep) forever() bool {
	for _, d := range k.sources {
		if finite(d) {
			return false
		}
	}
	return !finite(k.all) && !finite(k.rejected)
}

func finite(d Days) bool { return d != 0 && d < Forever }

// String is such as "730d, demo 90d, not accepted 30d".
func (k keep) String() string {
	text := k.all.String()
	for _, name := range slices.Sorted(maps.Keys(k.sources)) {
		text += ", " + name + " " + k.sources[name].String()
	}
	if finite(k.rejected) {
		text += ", not accepted " + k.rejected.String()
	}
	return text
}

// ttl is the expression after which a row or value expires; empty when none ever does. It is written as ClickHouse shows
// it again, so that what is in force can be compared with what is wanted, and one expression serves all sources: a row
// has one time of expiry. That is a midnight, so that a part of the table is written anew once a day, for all that has
// expired in it.
func (k keep) ttl(column string) string {
	if k.forever() {
		return ""
	}
	days := k.all.sql()
	if len(k.sources) > 0 {
		var names, each []string
		for _, name := range slices.Sorted(maps.Keys(k.sources)) {
			names, each = append(names, quoteText(name)), append(each, k.sources[name].sql())
		}
		days = fmt.Sprintf("transform(source, [%s], [%s], %s)", strings.Join(names, ", "), strings.Join(each, ", "), days)
	}
	if finite(k.rejected) {
		days = fmt.Sprintf("least(%s, if(verdict = 'accepted', %d, %d))", days, Forever, k.rejected)
	}
	return fmt.Sprintf("toStartOfDay(%s) + toIntervalDay(%s + 1)", column, days)
}

func (d Days) sql() string { return strconv.FormatUint(uint64(cmp.Or(d, Forever)), 10) }

var (
	ttlForm     = regexp.MustCompile(`^toStartOfDay\(\w+\) \+ toIntervalDay\((.*) \+ 1\)$`)
	verdictForm = regexp.MustCompile(`^least\((.*), if\(verdict = 'accepted', \d+, (\d+)\)\)$`)
	sourceForm  = regexp.MustCompile(`^transform\(source, \[(.*)\], \[(.*)\], (\d+)\)$`)
)

// parseTTL reads an expression that ttl has written; false for one of somebody else.
func parseTTL(text string) (k keep, ok bool) {
	if text == "" {
		return k, true
	}
	form := ttlForm.FindStringSubmatch(text)
	if form == nil {
		return k, false
	}
	days := form[1]
	if m := verdictForm.FindStringSubmatch(days); m != nil {
		days, k.rejected = m[1], parseDays(m[2])
	}
	if m := sourceForm.FindStringSubmatch(days); m != nil {
		k.sources = map[string]Days{}
		names, each := strings.Split(m[1], ", "), strings.Split(m[2], ", ")
		for i := range min(len(names), len(each)) {
			k.sources[strings.Trim(names[i], "'")] = parseDays(each[i])
		}
		days = m[3]
	}
	k.all = parseDays(days)
	return k, k.all != 0
}

// parseDays is 0 of what is no number.
func parseDays(text string) Days {
	n, _ := strconv.ParseUint(text, 10, 32)
	return Days(n)
}
