package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Selection selects events: those that match every set field. Within a list any value matches; an empty list is not
// set. Each field has an entry in [Filters], from which the command line, the API, the console and SQL derive.
type Selection struct {
	From     *time.Time `json:"from,omitempty"`  // received at or after
	Until    *time.Time `json:"until,omitempty"` // received before
	Sources  []string   `json:"sources,omitempty"`
	Steps    []string   `json:"steps,omitempty"`
	Kinds    []Kind     `json:"kinds,omitempty"`
	Verdicts []Verdict  `json:"verdicts,omitempty"`
	// Rejected selects the requests with any verdict but Accepted.
	Rejected bool        `json:"rejected,omitempty"`
	Channels []string    `json:"channels,omitempty"`
	IDs      []uuid.UUID `json:"ids,omitempty"`

	// Subscribers are ids of people, BotHelp's or the messenger's. An empty one matches nobody.
	Subscribers []string `json:"subscribers,omitempty"`
	// Tags, and names and values of fields, match in any spelling, like texts: without regard to case, outer spaces,
	// invisible characters and composition of letters.
	UTMSources   []string `json:"utm_sources,omitempty"`
	UTMMediums   []string `json:"utm_mediums,omitempty"`
	UTMCampaigns []string `json:"utm_campaigns,omitempty"`
	UTMContents  []string `json:"utm_contents,omitempty"`
	UTMTerms     []string `json:"utm_terms,omitempty"`
	// Fields are custom fields with their required values. An absent field is not an empty one.
	Fields map[string]string `json:"fields,omitempty"`
	// Text has words that must all occur, in any order, in the parsed fields and the step; for a request that was
	// rejected or not completely readable, in its path and body. A text in double quotes is one word. Of phone numbers
	// the digits count.
	Text string `json:"text,omitempty"`

	// UndeliveredTo is an endpoint to which the event was never delivered, live or in a replay.
	UndeliveredTo string `json:"undelivered_to,omitempty"`
	// FailedAt is an endpoint at which the event's last delivery failed.
	FailedAt string `json:"failed_at,omitempty"`
	// Failed selects the events whose last delivery to any endpoint failed.
	Failed bool `json:"failed,omitempty"`
	// Fallbacks are reasons why the bot that waited for the event's answer got the fallback. FallbackAny selects all.
	Fallbacks []Fallback `json:"fallbacks,omitempty"`
	// BrokenOff selects the events whose bot got no whole answer and no fallback: see the function BrokenOff.
	BrokenOff bool `json:"broken_off,omitempty"`
	// MissingKeys are expected keys that the answer to the waiting bot did not have; "any" selects all.
	MissingKeys []string `json:"missing_keys,omitempty"`

	// Where is a ClickHouse expression over the columns of the table events, for conditions that no other field
	// covers. It can only read, with limits of time and memory.
	Where string `json:"where,omitempty"`
}

// FallbackAny selects all reasons of a fallback.
const FallbackAny Fallback = "any"

// SelectionFault is an error in a selection.
type SelectionFault struct {
	Name    string // of the wrong parameter or property; empty for the whole selection
	Message string
}

// Renamed moves the values of old names to the new ones, without repeating values.
func Renamed(values url.Values) url.Values {
	values = maps.Clone(values)
	for _, f := range Filters {
		if f.Old == "" {
			continue
		}
		for _, value := range values[f.Old] {
			if !slices.Contains(values[f.Name], value) {
				values[f.Name] = append(slices.Clip(values[f.Name]), value)
			}
		}
		delete(values, f.Old)
	}
	return values
}

// ParseSelection parses a selection from values by the filters' names, and returns all errors. since counts back from
// now.
func ParseSelection(values url.Values, now time.Time) (sel Selection, faults []SelectionFault) {
	faults = parse(Filters, reflect.ValueOf(&sel).Elem(), Renamed(values), now)
	return sel, append(faults, sel.Faults()...)
}

// parse sets the fields of a selection to the values of its filters.
func parse(filters []Filter, sel reflect.Value, values url.Values, now time.Time) (faults []SelectionFault) {
	for _, f := range filters {
		if given := values[f.Name]; len(given) > 0 {
			if err := f.set(sel, given, now); err != nil {
				faults = append(faults, SelectionFault{f.Name, err.Error()})
			}
		}
	}
	if values.Get("since") != "" && values.Get("from") != "" {
		faults = append(faults, SelectionFault{"since", "since and from exclude each other"})
	}
	return faults
}

// maxIDs is the largest number of events selected by id.
const maxIDs = 100_000

// Faults returns the parts of a selection that, probably by mistake, match nothing or everything.
func (s Selection) Faults() []SelectionFault {
	faults := append(endsBefore(s.From, s.Until, "it"), emptyLists(Filters, s)...)
	if len(s.IDs) > maxIDs {
		faults = append(faults, SelectionFault{"",
			fmt.Sprintf("it names %d events; at most %d can be named by their ids", len(s.IDs), maxIDs)})
	}
	return faults
}

// endsBefore returns a fault if a range of time is empty.
func endsBefore(from, until *time.Time, what string) []SelectionFault {
	if from == nil || until == nil || from.Before(*until) {
		return nil
	}
	return []SelectionFault{{"", fmt.Sprintf("%s ends (%s) before it begins (%s)", what, until.Format(time.RFC3339),
		from.Format(time.RFC3339))}}
}

// emptyLists returns a fault for each list without elements, which a program has probably computed.
func emptyLists(filters []Filter, sel any) (faults []SelectionFault) {
	for _, f := range filters {
		if v := f.of(reflect.ValueOf(sel)); v.Kind() == reflect.Slice && !v.IsNil() && v.Len() == 0 {
			faults = append(faults, SelectionFault{f.Property(),
				"it is an empty list, which would select everything; leave it out for that"})
		}
	}
	return faults
}

// Values is the inverse of [ParseSelection].
func (s Selection) Values() url.Values { return valuesOf(Filters, s) }

func valuesOf(filters []Filter, sel any) url.Values {
	all := url.Values{}
	for _, f := range filters {
		if values := f.Values(sel); len(values) > 0 {
			all[f.Name] = values
		}
	}
	return all
}

// FullScan reports whether no index helps to find or count the selected events.
func (s Selection) FullScan() bool {
	return len(s.IDs) == 0 && len(s.Subscribers) == 0 && slices.ContainsFunc(Filters,
		func(f Filter) bool { return f.FullScan && len(f.Values(s)) > 0 })
}

// OnlyRejected reports whether no accepted event is selected.
func (s Selection) OnlyRejected() bool {
	return s.Rejected || len(s.Verdicts) > 0 && !slices.Contains(s.Verdicts, Accepted)
}

// Endpoints returns the endpoints that the selection names.
func (s Selection) Endpoints() (names []string) {
	for _, f := range Filters {
		if f.Names == NamesEndpoint {
			names = append(names, f.Values(s)...)
		}
	}
	return names
}

// WithEndpoints returns the selection with each endpoint replaced by name(endpoint).
func (s Selection) WithEndpoints(name func(string) string) Selection {
	for _, f := range Filters {
		if f.Names == NamesEndpoint {
			v := f.of(reflect.ValueOf(&s).Elem())
			v.SetString(name(v.String()))
		}
	}
	return s
}

type plainSelection Selection

// jsonSelection is the JSON form of Selection.
type jsonSelection struct {
	plainSelection
	To *time.Time `json:"to,omitempty"` // the old name of until
}

// MarshalJSON implements json.Marshaler. It also writes "until" under its old name "to", for programs, including older
// hooktapes, that know only that.
func (s Selection) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonSelection{plainSelection(s), s.Until})
}

// UnmarshalJSON implements json.Unmarshaler. It accepts "to" for "until"; two different values are an error.
func (s *Selection) UnmarshalJSON(text []byte) error {
	var j jsonSelection
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	if j.Until != nil && j.To != nil && !j.Until.Equal(*j.To) {
		return errors.New("until and to, its old name, differ: give until alone")
	}
	*s = Selection(j.plainSelection)
	if s.Until == nil {
		s.Until = j.To
	}
	return nil
}
