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

// Selection names events: those that match every field that is set. Within a list any value matches; an empty list is
// one that is not set. Each field has a row in [Filters], by which the command line, the API, the console and SQL know it.
type Selection struct {
	From     *time.Time  `json:"from,omitempty"`  // received at or after
	Until    *time.Time  `json:"until,omitempty"` // received before
	Sources  []string    `json:"sources,omitempty"`
	Steps    []string    `json:"steps,omitempty"`
	Kinds    []Kind      `json:"kinds,omitempty"`
	Verdicts []Verdict   `json:"verdicts,omitempty"`
	Channels []string    `json:"channels,omitempty"`
	IDs      []uuid.UUID `json:"ids,omitempty"`

	// Subscribers are ids of people, BotHelp's or the messenger's. An empty one is nobody's.
	Subscribers []string `json:"subscribers,omitempty"`
	// Tags, and names and values of fields, match in any spelling, as texts do: without regard to case, outer spaces, invisible
	// characters and composition of letters.
	UTMSources   []string `json:"utm_sources,omitempty"`
	UTMMediums   []string `json:"utm_mediums,omitempty"`
	UTMCampaigns []string `json:"utm_campaigns,omitempty"`
	UTMContents  []string `json:"utm_contents,omitempty"`
	UTMTerms     []string `json:"utm_terms,omitempty"`
	// Fields are custom fields, each with the value that it must have. One that is absent is not one that is empty.
	Fields map[string]string `json:"fields,omitempty"`
	// Text has words that must all occur, in any order, in what was read from the request and in its step; where not all of it could
	// be read, or it was rejected, in its path and body. What is in double quotes is one word. Of phone numbers the digits count.
	Text string `json:"text,omitempty"`

	// UndeliveredTo is an endpoint that has never taken the event, live or in a replay.
	UndeliveredTo string `json:"undelivered_to,omitempty"`
	// FailedAt is an endpoint at which the event's last delivery failed for good.
	FailedAt string `json:"failed_at,omitempty"`

	// Where is a ClickHouse expression over the columns of the table events, for what no other field covers. It may only
	// read, for so long and with so much memory.
	Where string `json:"where,omitempty"`
}

// SelectionFault is something wrong with a selection.
type SelectionFault struct {
	Name    string // of the parameter or the property at fault; empty for the selection as a whole
	Message string
}

// Renamed has the values of filters that stand under an old name under the new one, and leaves out those that are there already.
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

// ParseSelection reads a selection from values by the filters' names, and says what is wrong with them. A span of time (since)
// counts back from now.
func ParseSelection(values url.Values, now time.Time) (sel Selection, faults []SelectionFault) {
	values = Renamed(values)
	for _, f := range Filters {
		if given := values[f.Name]; len(given) > 0 {
			if err := f.set(&sel, given, now); err != nil {
				faults = append(faults, SelectionFault{f.Name, err.Error()})
			}
		}
	}
	if values.Get("since") != "" && values.Get("from") != "" {
		faults = append(faults, SelectionFault{"since", "since and from exclude each other"})
	}
	return sel, append(faults, sel.Faults()...)
}

// maxIDs is how many events can be named one by one.
const maxIDs = 100_000

// since sets the beginning to a span of time ago.
func (s *Selection) since(span string, now time.Time) error {
	ago, err := ParseSpan(span)
	from := now.Add(-ago)
	s.From = &from
	return err
}

// Faults says what in a selection can match nothing, or everything, by a mistake of its maker.
func (s Selection) Faults() (faults []SelectionFault) {
	if s.From != nil && s.Until != nil && !s.From.Before(*s.Until) {
		faults = append(faults, SelectionFault{"", fmt.Sprintf("it ends (%s) before it begins (%s)", s.Until.Format(time.RFC3339), s.From.Format(time.RFC3339))})
	}
	for _, f := range Filters {
		if v := f.of(&s); v.Kind() == reflect.Slice && !v.IsNil() && v.Len() == 0 { // most likely a list that a program has computed
			faults = append(faults, SelectionFault{f.Property(), "it is an empty list, which would select everything; leave it out for that"})
		}
	}
	if len(s.IDs) > maxIDs {
		faults = append(faults, SelectionFault{"", fmt.Sprintf("it names %d events; at most %d can be named by their ids", len(s.IDs), maxIDs)})
	}
	return faults
}

// Values is the opposite of [ParseSelection].
func (s Selection) Values() url.Values {
	all := url.Values{}
	for _, f := range Filters {
		if values := f.Values(s); len(values) > 0 {
			all[f.Name] = values
		}
	}
	return all
}

// FullScan reports whether no index helps to find the selected events, or to count them.
func (s Selection) FullScan() bool {
	return len(s.IDs) == 0 && len(s.Subscribers) == 0 && slices.ContainsFunc(Filters, func(f Filter) bool { return f.FullScan && len(f.Values(s)) > 0 })
}

// Endpoints are the endpoints that the selection names.
func (s Selection) Endpoints() (names []string) {
	for _, f := range Filters {
		if f.Names == NamesEndpoint {
			names = append(names, f.Values(s)...)
		}
	}
	return names
}

// WithEndpoints is the selection with other names in place of those of its endpoints.
func (s Selection) WithEndpoints(name func(string) string) Selection {
	for _, f := range Filters {
		if f.Names == NamesEndpoint {
			v := f.of(&s)
			v.SetString(name(v.String()))
		}
	}
	return s
}

type plainSelection Selection

// jsonSelection is a Selection as JSON has it.
type jsonSelection struct {
	plainSelection
	To *time.Time `json:"to,omitempty"` // the old name of until
}

// MarshalJSON implements json.Marshaler. It writes "until" under its old name "to" as well, for programs, older hooktapes among
// them, that know no other.
func (s Selection) MarshalJSON() ([]byte, error) {
	return json.Marshal(jsonSelection{plainSelection(s), s.Until})
}

// UnmarshalJSON implements json.Unmarshaler. It takes "to" for "until"; two that differ are an error.
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
