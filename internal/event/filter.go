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

// Filter is one way to select events or deliveries. The parameters and the document of the API, the flags of commands,
// the form and the chips of the console, and the SQL derive from [Filters] and [DeliveryFilters].
type Filter struct {
	Name  string // of the URL parameter; a flag has dashes instead of underscores
	Old   string // name in earlier versions, still accepted in URLs and JSON
	Field string // of Selection or DeliverySelection; empty for since, which sets From
	Label string // on pages
	Group string // of the form on pages: one of FilterGroups
	Help  string // says which events match, in one sentence
	// Placeholder is the value in the help of the command line, and Example is a real one.
	Placeholder, Example string
	// Known are the allowed values; nil for any.
	Known []string
	// Valid reports whether a value is allowed, and Want describes those that are; nil for any value.
	Valid func(string) bool
	Want  string
	// Names is the kind of object that its values name, if there is a list of such names.
	Names Named
	// Column is the column of the table events that has one of the values: exactly or, with AnySpelling, in any
	// spelling. A filter without a column needs a condition in package store.
	Column      string
	AnySpelling bool
	// FullScan marks a filter for which ClickHouse reads every event, because no index helps.
	FullScan bool
	// ofDeliveries marks a filter of [DeliveryFilters].
	ofDeliveries bool
}

// Named is the kind of object that the values of a filter name; empty for none.
type Named string

// The kinds of objects. The last three are named by their ids.
const (
	NamesSource   Named = "source"
	NamesEndpoint Named = "endpoint"
	NamesEvent    Named = "event"
	NamesDelivery Named = "delivery"
	NamesReplay   Named = "replay"
)

// The groups of filters.
const (
	groupTime     = "Time"
	groupPerson   = "Person"
	groupSource   = "Source and UTM"
	groupDelivery = "Delivery"
)

// FilterGroups lists the groups of filters in the order of the form.
var FilterGroups = []string{groupTime, groupPerson, groupSource, groupDelivery}

// Filters lists every filter, in the order in which people read them.
var Filters = []Filter{
	{Name: "since", Group: groupTime, Label: "last", Placeholder: "AGO", Example: "2h",
		Help: "Received in the last 90m, 24h or 7d, for example; replaces from."},
	{Name: "from", Group: groupTime, Field: "From", Label: "from", Placeholder: "TIME",
		Example: "2026-01-31T13:00:00+03:00", Help: "Received at or after this time."},
	{Name: "until", Group: groupTime, Old: "to", Field: "Until", Label: "until", Placeholder: "TIME",
		Example: "2026-01-31T15:00:00+03:00", Help: "Received before this time."},
	{Name: "source", Group: groupSource, Field: "Sources", Label: "source", Placeholder: "NAME",
		Help: "From one of these sources.", Names: NamesSource, Column: "source"},
	{Name: "step", Group: groupSource, Field: "Steps", Label: "step", Placeholder: "STEP", Example: "paid",
		Help: "At one of these steps; '' for none.", Column: "step"},
	{Name: "kind", Group: groupPerson, Field: "Kinds", Label: "kind", Placeholder: "KIND", Known: Texts(Kinds),
		Help: "Of one of these kinds: " + Words(Kinds) + ".", Column: "kind"},
	{Name: "verdict", Group: groupDelivery, Field: "Verdicts", Label: "verdict", Placeholder: "VERDICT",
		Known: Texts(Verdicts), Column: "verdict",
		Help: "With one of these verdicts: " + Words(Verdicts) + "."},
	{Name: "rejected", Group: groupDelivery, Field: "Rejected", Label: "rejected", Placeholder: "true", Example: "true",
		Help: "Rejected requests: those with any verdict but accepted."},
	{Name: "channel", Group: groupPerson, Field: "Channels", Label: "channel", Placeholder: "CHANNEL",
		Example: "telegram", Help: "Through one of these channels, such as telegram.", Column: "channel"},
	{Name: "subscriber", Group: groupPerson, Field: "Subscribers", Label: "subscriber", Placeholder: "ID",
		Example: "47659", Help: "About one of these people: BotHelp's id, or the messenger's."},
	utm("source", "UTMSources"), utm("medium", "UTMMediums"), utm("campaign", "UTMCampaigns"),
	utm("content", "UTMContents"), utm("term", "UTMTerms"),
	{Name: "field", Group: groupPerson, Field: "Fields", Label: "custom field", Placeholder: "NAME=VALUE",
		Example: "age=21", FullScan: true,
		Help: "With this value of this custom field (name=value), in any spelling; of several fields, all must match."},
	{Name: "undelivered_to", Group: groupDelivery, Field: "UndeliveredTo", Label: "not delivered to",
		Placeholder: "ENDPOINT", Names: NamesEndpoint, FullScan: true,
		Help: "Never delivered to this endpoint, live or in a replay: a configured name, or a URL."},
	{Name: "failed_at", Group: groupDelivery, Field: "FailedAt", Label: "failed at", Placeholder: "ENDPOINT",
		Names: NamesEndpoint, FullScan: true,
		Help: "Whose last delivery to this endpoint failed."},
	{Name: "failed", Group: groupDelivery, Field: "Failed", Label: "failed delivery", Placeholder: "true",
		Example: "true", FullScan: true,
		Help: "Whose last delivery to any endpoint failed."},
	{Name: "fallback", Group: groupDelivery, Field: "Fallbacks", Label: "fallback", Placeholder: "REASON",
		FullScan: true, Known: Texts(append([]Fallback{FallbackAny}, Fallbacks...)),
		Help: "Whose bot got the fallback for one of these reasons: any, " + Words(Fallbacks) + "."},
	{Name: "broken_off", Group: groupDelivery, Field: "BrokenOff", Label: "answer broke off", Placeholder: "true",
		Example: "true", FullScan: true,
		Help: "Whose bot got an answer that broke off, or for which hooktape recorded no outcome because it was " +
			"stopped."},
	{Name: "missing_key", Group: groupDelivery, Field: "MissingKeys", Label: "missing key", Placeholder: "KEY",
		Example: "price", FullScan: true,
		Help: "Whose bot got an answer without one of these expected keys; any for all."},
	{Name: "text", Group: groupPerson, Field: "Text", Label: "text", Placeholder: "TEXT", FullScan: true,
		Help: "With all of these words, in any order and spelling, in the parsed fields (of a rejected request: in " +
			"its path and body). A text in double quotes is one word. Of phone numbers the digits count."},
	{Name: "where", Group: groupDelivery, Field: "Where", Label: "where", Placeholder: "EXPRESSION",
		Example: "length(body) > 10000", FullScan: true,
		Help: "Matching a ClickHouse expression over the columns of the table events, such as length(body) > 10000. " +
			"The API and the console require the role admin."},
	{Name: "id", Group: groupDelivery, Field: "IDs", Label: "event", Placeholder: "ID", Names: NamesEvent,
		Valid: isEventID, Want: wholeEventID, Help: "One of these events, by id."},
}

const wholeEventID = "the whole id of an event"

func isEventID(text string) bool { return IsID(NamesEvent, text) }

func utm(tag, field string) Filter {
	name := "utm_" + tag
	return Filter{Name: name, Group: groupSource, Field: field, Label: "UTM " + tag, Placeholder: "VALUE", Column: name,
		AnySpelling: true, Help: "With one of these values of " + name + ", in any spelling (vk is VK)."}
}

// FilterNamed returns the filter with a name.
func FilterNamed(name string) (Filter, bool) {
	i := slices.IndexFunc(Filters, func(f Filter) bool { return f.Name == name })
	if i < 0 {
		return Filter{}, false
	}
	return Filters[i], true
}

// Many reports whether it can have several values. Of a list any value may match; of custom fields all must.
func (f Filter) Many() bool {
	kind := f.empty().Kind()
	return kind == reflect.Slice || kind == reflect.Map
}

// IsTime reports whether its value is a point in time.
func (f Filter) IsTime() bool { return f.empty().Kind() == reflect.Pointer }

// IsFlag reports whether it is set or not, without a value.
func (f Filter) IsFlag() bool { return f.empty().Kind() == reflect.Bool }

// HasIDs reports whether its values are ids.
func (f Filter) HasIDs() bool {
	return f.Names == NamesEvent || f.Names == NamesDelivery || f.Names == NamesReplay
}

// IsShort reports whether a value names an object without its whole id: by the beginning of the id, for example.
func (f Filter) IsShort(value string) bool {
	return f.HasIDs() && f.check(value) != nil
}

// LongHelp returns Help and, of a filter by id, what else names an object where people type.
func (f Filter) LongHelp() string {
	if f.HasIDs() {
		return f.Help + " A unique beginning of an id, of 8 characters or more, also names it, and last the newest."
	}
	return f.Help
}

// Property returns its name in the JSON of a selection; "" for since.
func (f Filter) Property() string {
	field, _ := f.selection().FieldByName(f.Field)
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// selection returns the type of which Field is a field.
func (f Filter) selection() reflect.Type {
	if f.ofDeliveries {
		return reflect.TypeFor[DeliverySelection]()
	}
	return reflect.TypeFor[Selection]()
}

// empty returns the filter's field of an empty selection.
func (f Filter) empty() reflect.Value { return f.of(reflect.New(f.selection()).Elem()) }

// of returns the filter's field of a selection; for since, a string outside it.
func (f Filter) of(sel reflect.Value) reflect.Value {
	if f.Field == "" {
		return reflect.ValueOf(new(string)).Elem()
	}
	return sel.FieldByName(f.Field)
}

// Values returns the filter's values in a [Selection] or [DeliverySelection], in the form that [ParseSelection] and
// [ParseDeliverySelection] read; none if it is not set.
func (f Filter) Values(sel any) (values []string) {
	field := f.of(reflect.ValueOf(sel))
	switch v := field.Interface().(type) {
	case *time.Time:
		if v != nil {
			values = []string{v.Format(time.RFC3339Nano)}
		}
	case bool:
		if v {
			values = []string{"true"}
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
		for _, one := range field.Seq2() {
			values = append(values, fmt.Sprint(one))
		}
	}
	return values
}

// set parses the filter's values into a selection. In a list an empty value counts; alone it does not.
func (f Filter) set(sel reflect.Value, values []string, now time.Time) error {
	field := f.of(sel)
	one := ""
	if !f.Many() {
		switch {
		case len(values) > 1 && f.Old != "":
			return fmt.Errorf("%s and %s, its old name, differ: give %[1]s alone", f.Name, f.Old)
		case len(values) > 1:
			return errors.New("may be given only once")
		}
		if one = strings.Join(values, ""); one == "" {
			return nil
		}
	}
	switch p := field.Addr().Interface().(type) {
	case **time.Time:
		t, err := time.Parse(time.RFC3339Nano, one)
		if err != nil {
			return fmt.Errorf("invalid time %q: want one such as 2026-01-31T13:00:00+03:00, with %%2B for + in a URL",
				one)
		}
		*p = &t
	case *bool:
		set, err := strconv.ParseBool(one)
		if err != nil {
			return fmt.Errorf("invalid value %q: want true or false", one)
		}
		*p = set
	case *string:
		if f.Field == "" {
			ago, err := ParseSpan(one)
			sel.FieldByName("From").Set(reflect.ValueOf(new(now.Add(-ago))))
			return err
		}
		if err := f.check(one); err != nil {
			return err
		}
		*p = one
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
			if err := f.check(text); err != nil {
				return err
			}
			*p = append(*p, uuid.MustParse(text))
		}
	default:
		for _, text := range values {
			if err := f.check(text); err != nil {
				return err
			}
			field.Set(reflect.Append(field, reflect.ValueOf(text).Convert(field.Type().Elem())))
		}
	}
	return nil
}

// check returns an error for a value that is not allowed.
func (f Filter) check(value string) error {
	switch {
	case f.Known != nil && !slices.Contains(f.Known, value):
		return fmt.Errorf("invalid value %q: want %s", value, strings.Join(f.Known, ", "))
	case f.Valid != nil && !f.Valid(value):
		return fmt.Errorf("invalid value %q: want %s", value, f.Want)
	}
	return nil
}

// ParseSpan parses a duration in Go's notation, or in days.
func ParseSpan(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n * 24 * float64(time.Hour)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("invalid duration %q: want one such as 90m, 24h or 7d", s)
	}
	return d, nil
}

// Texts converts words to strings.
func Texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// Words lists words for a sentence.
func Words[T ~string](words []T) string { return strings.Join(Texts(words), ", ") }
