package event

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Filter is one way to select events. The parameters of the API and its document, the flags of commands, the form and the
// chips of the console, and the SQL are made of [Filters].
type Filter struct {
	Name  string // of the parameter in a URL; a flag has dashes in place of underscores
	Old   string // its name in earlier versions, which URLs and JSON may still have
	Field string // of Selection; empty for since, which sets From
	Label string // what pages call it
	Help  string // says which events match, in one sentence
	// Placeholder stands for a value in the help of the command line, and Example is one.
	Placeholder, Example string
	// Known are the values that it can have; nil for any.
	Known []string
	// Names is what its values are the names of, if anything that has a list of names.
	Names Named
	// Column is the column of the table events that has one of the values: exactly, or with AnySpelling as texts match. A filter
	// without one needs a condition of its own in the package store.
	Column      string
	AnySpelling bool
	// FullScan marks a filter for which ClickHouse looks at each event, because no index helps.
	FullScan bool
}

// Named is what the values of a filter are the names of.
type Named int

// What values can name.
const (
	NamesNothing Named = iota
	NamesSource
	NamesEndpoint
)

// Filters lists every filter, in the order in which people read them.
var Filters = []Filter{
	{Name: "since", Label: "last", Placeholder: "AGO", Example: "2h", Help: "Received in this last span of time, such as 90m, 24h or 7d; in place of from."},
	{Name: "from", Field: "From", Label: "from", Placeholder: "TIME", Example: "2026-01-31T13:00:00+03:00", Help: "Received at or after this time."},
	{Name: "until", Old: "to", Field: "Until", Label: "until", Placeholder: "TIME", Example: "2026-01-31T15:00:00+03:00", Help: "Received before this time."},
	{Name: "source", Field: "Sources", Label: "source", Placeholder: "NAME", Help: "From one of these sources.", Names: NamesSource, Column: "source"},
	{Name: "step", Field: "Steps", Label: "step", Placeholder: "STEP", Example: "paid", Help: "At one of these steps; '' for none.", Column: "step"},
	{Name: "kind", Field: "Kinds", Label: "kind", Placeholder: "KIND", Known: texts(Kinds), Help: "Of one of these kinds: " + Words(Kinds) + ".", Column: "kind"},
	{Name: "verdict", Field: "Verdicts", Label: "verdict", Placeholder: "VERDICT", Known: texts(Verdicts), Column: "verdict",
		Help: "With one of these verdicts: " + Words(Verdicts) + ". A replay sends accepted events only."},
	{Name: "channel", Field: "Channels", Label: "channel", Placeholder: "CHANNEL", Example: "telegram", Help: "Through one of these channels, such as telegram.", Column: "channel"},
	{Name: "subscriber", Field: "Subscribers", Label: "subscriber", Placeholder: "ID", Example: "47659", Help: "About one of these people: BotHelp's id, or the messenger's."},
	utm("source", "UTMSources"), utm("medium", "UTMMediums"), utm("campaign", "UTMCampaigns"), utm("content", "UTMContents"), utm("term", "UTMTerms"),
	{Name: "field", Field: "Fields", Label: "custom field", Placeholder: "NAME=VALUE", Example: "age=21", FullScan: true,
		Help: "With this value of this custom field (name=value), in any spelling; of several fields, all must match."},
	{Name: "undelivered_to", Field: "UndeliveredTo", Label: "not delivered to", Placeholder: "ENDPOINT", Names: NamesEndpoint, FullScan: true,
		Help: "Never taken by this endpoint, live or in a replay: a configured name, or a URL."},
	{Name: "failed_at", Field: "FailedAt", Label: "failed at", Placeholder: "ENDPOINT", Names: NamesEndpoint, FullScan: true,
		Help: "Whose last delivery to this endpoint failed for good."},
	{Name: "text", Field: "Text", Label: "text", Placeholder: "TEXT", FullScan: true,
		Help: `With all of these words, in any order and spelling, in what was read from the request (of a rejected one: in its path and body). In double quotes: as one. Of phone numbers the digits count.`},
	{Name: "where", Field: "Where", Label: "where", Placeholder: "EXPRESSION", Example: "length(body) > 10000", FullScan: true,
		Help: "For what nothing else covers: a ClickHouse expression over the columns of the table events, such as length(body) > 10000. The API and the console need the role admin for it."},
	{Name: "id", Field: "IDs", Label: "event", Placeholder: "ID", Help: "One of these events."},
}

func utm(tag, field string) Filter {
	name := "utm_" + tag
	return Filter{Name: name, Field: field, Label: "UTM " + tag, Placeholder: "VALUE", Column: name, AnySpelling: true,
		Help: "With one of these values of " + name + ", in any spelling (vk is VK)."}
}

// FilterNamed returns the filter of a name.
func FilterNamed(name string) (Filter, bool) {
	i := slices.IndexFunc(Filters, func(f Filter) bool { return f.Name == name })
	if i < 0 {
		return Filter{}, false
	}
	return Filters[i], true
}

// Many reports whether it can have several values. Of a list any value matches; of custom fields each must.
func (f Filter) Many() bool {
	kind := f.of(&Selection{}).Kind()
	return kind == reflect.Slice || kind == reflect.Map
}

// IsTime reports whether its value is a point in time.
func (f Filter) IsTime() bool { return f.of(&Selection{}).Kind() == reflect.Pointer }

// Property is its name in the JSON of a Selection; empty for since.
func (f Filter) Property() string {
	field, _ := reflect.TypeFor[Selection]().FieldByName(f.Field)
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// of is the filter's field of a selection. That of since is a text that belongs to none.
func (f Filter) of(sel *Selection) reflect.Value {
	if f.Field == "" {
		return reflect.ValueOf(new(string)).Elem()
	}
	return reflect.ValueOf(sel).Elem().FieldByName(f.Field)
}

// Values are the filter's values in a selection, as [ParseSelection] reads them; none when it is not set.
func (f Filter) Values(sel Selection) (values []string) {
	switch v := f.of(&sel).Interface().(type) {
	case *time.Time:
		if v != nil {
			values = []string{v.Format(time.RFC3339Nano)}
		}
	case string:
		if v != "" {
			values = []string{v}
		}
	case map[string]string:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			values = append(values, name+"="+v[name])
		}
	default: // a list
		for _, one := range f.of(&sel).Seq2() {
			values = append(values, fmt.Sprint(one))
		}
	}
	return values
}

// set reads the filter's values into a selection. An empty value is one in a list, and none of a single filter.
func (f Filter) set(sel *Selection, values []string, now time.Time) error {
	field := f.of(sel)
	one := ""
	if !f.Many() {
		switch {
		case len(values) > 1 && f.Old != "":
			return fmt.Errorf("%s and %s, its old name, differ: give %[1]s alone", f.Name, f.Old)
		case len(values) > 1:
			return errors.New("may be given once")
		}
		if one = strings.Join(values, ""); one == "" {
			return nil
		}
	}
	switch p := field.Addr().Interface().(type) {
	case **time.Time:
		t, err := time.Parse(time.RFC3339Nano, one)
		if err != nil {
			return fmt.Errorf("%q is no time such as 2026-01-31T13:00:00+03:00", one)
		}
		*p = &t
	case *string:
		if *p = one; f.Field == "" {
			return sel.since(one, now)
		}
	case *map[string]string:
		*p = map[string]string{}
		for _, pair := range values {
			name, value, ok := strings.Cut(pair, "=")
			if _, twice := (*p)[name]; !ok || name == "" || twice {
				return fmt.Errorf("%q must be name=value, each name once", pair)
			}
			(*p)[name] = value
		}
	case *[]uuid.UUID:
		for _, text := range values {
			id, err := uuid.Parse(text)
			if err != nil {
				return fmt.Errorf("%q is no event id", text)
			}
			*p = append(*p, id)
		}
	default:
		for _, text := range values {
			if f.Known != nil && !slices.Contains(f.Known, text) {
				return fmt.Errorf("%q is none of %s", text, strings.Join(f.Known, ", "))
			}
			field.Set(reflect.Append(field, reflect.ValueOf(text).Convert(field.Type().Elem())))
		}
	}
	return nil
}

// ParseSpan reads a span of time: as Go writes them, or in days.
func ParseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no span of time such as 90m, 24h or 7d", s)
	}
	return d, nil
}

func texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// Words lists words for a sentence.
func Words[T ~string](words []T) string { return strings.Join(texts(words), ", ") }
