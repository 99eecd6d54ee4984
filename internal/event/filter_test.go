package event_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// wholeSelection has a value in every field.
var wholeSelection = func() event.Selection {
	from := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	until := from.Add(time.Hour)
	return event.Selection{From: &from, Until: &until, Sources: []string{"demo", "a,b"}, Steps: []string{"", "paid"},
		Kinds: event.Kinds, Verdicts: event.Verdicts, Channels: []string{"telegram"},
		IDs: []uuid.UUID{event.NewID(from), event.NewID(until)}, Subscribers: []string{"1",
			"2"}, UTMSources: []string{"ВК"}, UTMMediums: []string{"m"},
		UTMCampaigns: []string{"c"}, UTMContents: []string{"o"}, UTMTerms: []string{"t"},
		Fields: map[string]string{"город": "Омск=2", "b": ""}, Text: `"a b" c`,
		UndeliveredTo: "crm", FailedAt: "https://x/?y", Rejected: true, Failed: true,
		BrokenOff: true,
		Fallbacks: []event.Fallback{event.FallbackAny, event.FallbackDeadline}, MissingKeys: []string{"price",
			""}, Where: "1 = 1"}
}()

// TestFilters verifies that each field of a selection has exactly one filter, that each filter has a description, and
// that it parses what it formats.
func TestFilters(t *testing.T) {
	rows, names := map[string]int{}, map[string]bool{}
	for _, f := range event.Filters {
		rows[f.Field]++
		if f.Name == "" || f.Label == "" || f.Placeholder == "" || !strings.HasSuffix(f.Help, ".") ||
			!slices.Contains(event.FilterGroups, f.Group) || names[f.Name] {
			t.Errorf("incomplete or duplicate filter: %+v", f)
		}
		names[f.Name] = true
		if f.Field == "" {
			continue
		}
		values := url.Values{f.Name: f.Values(wholeSelection)}
		only, faults := event.ParseSelection(values, time.Now())
		if len(values[f.Name]) == 0 || faults != nil || !reflect.DeepEqual(only.Values(), values) {
			t.Errorf("%s: %q was parsed as %+v, %v", f.Name, values, only, faults)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[event.Selection]()) {
		if rows[field.Name] != 1 {
			t.Errorf("%d filters for the field %s, want 1", rows[field.Name], field.Name)
		}
	}
	if back, faults := event.ParseSelection(wholeSelection.Values(), time.Now()); faults != nil ||
		!reflect.DeepEqual(back, wholeSelection) {
		t.Errorf("%v\n got %+v\nwant %+v", faults, back, wholeSelection)
	}
	text, err := json.Marshal(wholeSelection)
	var back event.Selection
	if err != nil || json.Unmarshal(text, &back) != nil || !reflect.DeepEqual(back, wholeSelection) {
		t.Errorf("%v\n%s\nwas decoded as %+v", err, text, back)
	}
}

// TestOldNames verifies that a value under an old name counts under the new one, and that empty values are ignored.
func TestOldNames(t *testing.T) {
	values := url.Values{"to": {"2026-03-01T12:00:00Z"}, "": {"x"}}
	sel, faults := event.ParseSelection(values, time.Now())
	if faults != nil || len(sel.Values()) != 1 || sel.Until == nil || !values.Has("to") {
		t.Errorf("got the selection %+v, faults %v, values %v", sel, faults, values)
	}
}
