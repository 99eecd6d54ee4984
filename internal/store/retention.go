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

// Days is how long rows are kept. The zero value is unset: a more general setting applies, finally Forever.
type Days uint32

// Forever is 68 years: ClickHouse's system tables cannot show a time of expiry after 2105.
const Forever Days = 25_000

// MaxDays is the longest duration that can be configured, apart from Forever.
const MaxDays Days = 18_250

// String returns a text such as 90d.
func (d Days) String() string {
	if d == 0 || d >= Forever {
		return "for ever"
	}
	return fmt.Sprintf("%dd", uint32(d))
}

// ParseDays parses days in the form of the configuration: 90d, or forever.
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

// Retention has the minimum times to keep rows; expired rows are removed the following night. The time counts from
// receipt (for attempts and spans from their start, for deliveries and replays from their end).
type Retention struct {
	Events   Days                       `yaml:"events"`   // events with all their columns, and those in quarantine
	Bodies   Days                       `yaml:"bodies"`   // raw bodies; parsed fields and hashes stay
	Rejected Days                       `yaml:"rejected"` // rejected events, if that is shorter
	Attempts Days                       `yaml:"attempts"` // attempts, and final deliveries and replays
	Traces   Days                       `yaml:"traces"`
	Sources  map[string]SourceRetention `yaml:"-"`
}

// DefaultRetention applies if nothing is configured. It limits rejected events because anyone can send them.
var DefaultRetention = Retention{Events: Forever, Bodies: Forever, Rejected: 30, Attempts: Forever, Traces: Forever}

// SourceRetention overrides the retention of a source's events.
type SourceRetention struct {
	Events Days `yaml:"events"`
	Bodies Days `yaml:"bodies"`
}

// keep is the retention of a table's rows, or of a column's values.
type keep struct {
	all      Days
	sources  map[string]Days // replace all
	rejected Days            // maximum for rejected events
}

func (r Retention) events() keep {
	return keep{all: r.Events, rejected: r.Rejected,
		sources: r.bySource(func(s SourceRetention) Days { return s.Events })}
}

func (r Retention) bodies() keep {
	return keep{all: r.Bodies, sources: r.bySource(func(s SourceRetention) Days { return s.Bodies })}
}

// quarantine ignores verdicts: ClickHouse refuses only accepted events.
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

// forever reports whether nothing ever expires.
func (k keep) forever() bool {
	for _, d := range k.sources {
		if finite(d) {
			return false
		}
	}
	return !finite(k.all) && !finite(k.rejected)
}

func finite(d Days) bool { return d != 0 && d < Forever }

// String returns a text such as "730d, demo 90d, rejected 30d".
func (k keep) String() string {
	text := k.all.String()
	for _, name := range slices.Sorted(maps.Keys(k.sources)) {
		text += ", " + name + " " + k.sources[name].String()
	}
	if finite(k.rejected) {
		text += ", rejected " + k.rejected.String()
	}
	return text
}

// ttl returns the expression after which a row or value expires; "" if none ever does. It has the form in which
// ClickHouse shows it, so it can be compared with the one in force. One expression covers all sources, because a row
// has one time of expiry. It is a midnight, so ClickHouse rewrites a part of the table once a day for everything that
// has expired.
func (k keep) ttl(column string) string {
	if k.forever() {
		return ""
	}
	days := k.all.sql()
	if len(k.sources) > 0 {
		var names, each []string
		for _, name := range slices.Sorted(maps.Keys(k.sources)) {
			names = append(names, quoteText(name))
			each = append(each, k.sources[name].sql())
		}
		days = fmt.Sprintf("transform(source, [%s], [%s], %s)", strings.Join(names, ", "), strings.Join(each, ", "),
			days)
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

// parseTTL parses an expression written by ttl; false for any other.
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
		days = m[1]
		k.rejected = parseDays(m[2])
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

// parseDays returns 0 for a text that is not a number.
func parseDays(text string) Days {
	n, _ := strconv.ParseUint(text, 10, 32)
	return Days(n)
}
