package event_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// TestDeliveryFilters: each field of a selection is one filter's, each filter is explained, and what it writes it
// reads.
func TestDeliveryFilters(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	later := at.Add(time.Hour)
	id := event.DeliveryKey{Endpoint: "crm", EventID: event.NewID(at)}.ID()
	whole := event.DeliverySelection{From: &at, Until: &later, FirstFrom: &at, FirstUntil: &later, LastFrom: &at,
		LastUntil: &later, Endpoints: []string{"crm",
			"https://x/?y"}, States: event.DeliveryStates, Replays: []string{event.LiveDelivery, uuid.NewString()},
		Events: []uuid.UUID{id.Event}, Subscribers: []string{"1", ""}, StatusCodes: []string{"503",
			"5xx"}, Outcomes: event.Outcomes,
		Groups: []string{"0123456789abcdef"}, IDs: []string{id.String()}}
	rows := map[string]int{}
	for _, f := range event.DeliveryFilters {
		rows[f.Field]++
		if f.Name == "" || f.Label == "" || f.Placeholder == "" || !strings.HasSuffix(f.Help, ".") {
			t.Errorf("a filter lacks something: %+v", f)
		}
		if f.Field == "" {
			continue
		}
		values := url.Values{f.Name: f.Values(whole)}
		only, faults := event.ParseDeliverySelection(values, later)
		if len(values[f.Name]) == 0 || faults != nil || !reflect.DeepEqual(only.Values(), values) {
			t.Errorf("%s: %q is read as %+v, %v", f.Name, values, only, faults)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[event.DeliverySelection]()) {
		if rows[field.Name] != 1 {
			t.Errorf("%d filters are for the field %s", rows[field.Name], field.Name)
		}
	}
	text, err := json.Marshal(whole)
	var back event.DeliverySelection
	if err != nil || json.Unmarshal(text, &back) != nil || !reflect.DeepEqual(back, whole) || back.Faults() != nil {
		t.Errorf("%v, %v\n%s\nis read as %+v", err, back.Faults(), text, back)
	}
	for _, wrong := range []event.DeliverySelection{{From: &later, Until: &at}, {LastFrom: &at, LastUntil: &at},
		{States: []event.DeliveryState{"done"}}, {Replays: []string{"x"}}, {Replays: []string{"urn:uuid:" + id.Event.String()}},
		{Replays: []string{"{" + id.Event.String() + "}"}}, {StatusCodes: []string{"600"}},
		{StatusCodes: []string{"503; DROP TABLE"}}, {Groups: []string{"' OR '"}}, {IDs: []string{id.Event.String()}},
		{Endpoints: []string{}}} {
		if wrong.Faults() == nil {
			t.Errorf("%+v has no faults", wrong)
		}
	}
}

// TestDeliveryID: an id is read as it was written, and tells live delivery, replays and endpoints apart.
func TestDeliveryID(t *testing.T) {
	key := event.DeliveryKey{Endpoint: "crm", EventID: event.NewID(time.Now())}
	other, replayed := key, key
	other.Endpoint, replayed.ReplayID = "sheet", uuid.New()
	id := key.ID()
	if back, err := event.ParseDeliveryID(id.String()); err != nil || back != id || id == other.ID() ||
		id == replayed.ID() {
		t.Errorf("%s is read as %v, %v", id, back, err)
	}
	for _, wrong := range []string{"", id.Event.String(), id.String() + "0", strings.Repeat("-", 36) + "-00000000",
		"\x00"} {
		if back, err := event.ParseDeliveryID(wrong); err == nil {
			t.Errorf("%q is read as %v", wrong, back)
		}
	}
}

// TestFirstLine: the line of an answer is short, valid text, whatever the endpoint sends.
func TestFirstLine(t *testing.T) {
	for body, want := range map[string]string{"": "", "\n\r\n  ok \r\nmore": "ok", "\xff\xfe": "\uFFFD",
		"<html>": "<html>", strings.Repeat("\n", 5000) + "late": "",
		strings.Repeat("я", 150): strings.Repeat("я", 98) + "…"} {
		if got := event.FirstLine([]byte(body)); got != want || len(got) > 200 {
			t.Errorf("%.40q: %q, want %q", body, got, want)
		}
	}
}
