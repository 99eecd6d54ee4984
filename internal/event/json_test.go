package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
)

// TestHeaderJSON verifies that a value is decoded byte for byte, and is encoded readably if it is text.
func TestHeaderJSON(t *testing.T) {
	for value, want := range map[string]string{
		"text/plain": `{"name":"A","value":"text/plain"}`,
		"":           `{"name":"A","value":""}`,
		"Москва":     `{"name":"A","value":"Москва"}`,
		"\xf1\xff\n": `{"name":"A","value":"","value_base64":"8f8K"}`,
	} {
		text, err := json.Marshal([]event.Header{{Name: "A", Value: value}})
		if err != nil || string(text) != "["+want+"]" {
			t.Errorf("%q was encoded as %s, %v; want %s", value, text, err, want)
		}
		var back []event.Header
		if err := json.Unmarshal(text, &back); err != nil || len(back) != 1 || back[0].Name != "A" ||
			back[0].Value != value {
			t.Errorf("%s was decoded as %q, %v", text, back, err)
		}
	}
}

// TestSelectionJSON verifies that the end of a time range is called until, and that its old name is accepted, and
// written for older programs.
func TestSelectionJSON(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{`{"until":"2026-03-01T12:00:00Z"}`, `{"to":"2026-03-01T12:00:00Z"}`,
		`{"to":"2026-03-01T15:00:00+03:00","until":"2026-03-01T12:00:00Z"}`} {
		var sel event.Selection
		if err := json.Unmarshal([]byte(text), &sel); err != nil || sel.Until == nil || !sel.Until.Equal(at) {
			t.Errorf("%s: %v, %v", text, sel.Until, err)
		}
	}
	text, err := json.Marshal(event.Selection{Until: &at, Sources: []string{"a"}})
	if want := `{"until":"2026-03-01T12:00:00Z","sources":["a"],"to":"2026-03-01T12:00:00Z"}`; err != nil ||
		string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
	var sel event.Selection
	if err := json.Unmarshal([]byte(`{"to":"2026-03-01T12:00:00Z","until":"2026-03-01T12:00:01Z"}`),
		&sel); err == nil || !strings.Contains(err.Error(), "differ") {
		t.Errorf("both names: %v", err)
	}
}
