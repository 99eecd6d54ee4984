package main

import (
	"net/url"
	"slices"
	"testing"
	"time"
)

func TestReadTime(t *testing.T) {
	moscow, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC) // 03:30 in Moscow
	for text, want := range map[string]time.Time{
		"2026-01-31T13:00:00+03:00":      time.Date(2026, 1, 31, 13, 0, 0, 0, moscow),
		"2026-01-31T10:00:00.5Z":         time.Date(2026, 1, 31, 10, 0, 0, 5e8, time.UTC),
		"2026-01-31 13:00 +03:00":        time.Date(2026, 1, 31, 13, 0, 0, 0, moscow),
		"2026-01-31 13:00:01+03:00":      time.Date(2026, 1, 31, 13, 0, 1, 0, moscow),
		"2026-01-31 13:00 Europe/Moscow": time.Date(2026, 1, 31, 13, 0, 0, 0, moscow),
		"2026-01-31 Europe/Moscow":       time.Date(2026, 1, 31, 0, 0, 0, 0, moscow),
		"2026-01-31 13:00 UTC":           time.Date(2026, 1, 31, 13, 0, 0, 0, time.UTC),
		"2026-01-31 13:00":               time.Date(2026, 1, 31, 13, 0, 0, 0, time.Local),
		"2026-01-31T13:00:01":            time.Date(2026, 1, 31, 13, 0, 1, 0, time.Local),
		"2026-01-31":                     time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
		"03:00 Europe/Moscow":            time.Date(2026, 3, 29, 3, 0, 0, 0, moscow),
		"01:00:05 UTC":                   time.Date(2026, 3, 29, 1, 0, 5, 0, time.UTC),
	} {
		if got, last, ok := readTime(text, now); !ok || !got.Equal(want) || !last.Equal(want) {
			t.Errorf("%q is %s (%v), want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", " ", "crm", "http://crm.example.org", "25:00", "2026-02-30", "13:00 Mars/Olympus",
		"2026-01-31 13:00 ", "13:00 ../../etc/passwd"} {
		if got, _, ok := readTime(text, now); ok {
			t.Errorf("%q was accepted as %s", text, got)
		}
	}
}

func TestParsePace(t *testing.T) {
	for text, want := range map[string]float64{"": 0, "original": 1, "original×10": 10, "originalx2.5": 2.5,
		"original*2": 2, "4": 4, "0.5": 0.5} {
		if got, err := parsePace(text); err != nil || got != want {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"original10", "10×", "×10", "-1", "0", "NaN", "Inf", "1e3", "1..2", "9999999999",
		"original×"} {
		if got, err := parsePace(text); err == nil {
			t.Errorf("%q was accepted as %v", text, got)
		}
	}
}

// TestRepeatedHour verifies that a range from and until a time that occurs twice includes both passes of that hour.
func TestRepeatedHour(t *testing.T) {
	for text, want := range map[string][2]string{
		"2026-10-25 02:15 Europe/Berlin":    {"2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z"},
		"2026-11-01T01:30 America/New_York": {"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		"02:15 Europe/Berlin":               {"2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z"},
		"2026-03-29 02:15 Europe/Berlin":    {"2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
	} {
		now := time.Date(2026, 10, 25, 12, 0, 0, 0, time.UTC)
		from, err := selectionOf(url.Values{"from": {text}}, now)
		if err != nil {
			t.Fatal(err)
		}
		until, err := selectionOf(url.Values{"until": {text}}, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{from.From.UTC().Format(time.RFC3339), until.Until.UTC().Format(time.RFC3339)}; got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestSelectionFlags(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	sel, err := selectionOf(url.Values{"since": {"1.5d"}, "source": {"a"}}, now)
	if err != nil || !sel.From.Equal(now.Add(-36*time.Hour)) || !slices.Equal(sel.Sources, []string{"a"}) {
		t.Errorf("got the selection %+v, %v", sel, err)
	}
	sel, err = selectionOf(url.Values{"from": {"2026-03-01T00:00:00+03:00"}, "until": {"2026-03-02"}}, now)
	if err != nil || !sel.From.Equal(time.Date(2026, 2, 28, 21, 0, 0, 0, time.UTC)) ||
		!sel.Until.Equal(time.Date(2026, 3, 2, 0, 0, 0, 0, time.Local)) {
		t.Errorf("got the selection %+v, %v", sel, err)
	}
	for _, wrong := range []url.Values{{"since": {"soon"}}, {"since": {"-1h"}},
		{"since": {"1h"}, "from": {"2026-01-01"}}, {"from": {"yesterday"}},
		{"from": {"2026-01-02"}, "until": {"2026-01-01"}}, {"kind": {"flows"}}, {"verdict": {"ok"}}} {
		if sel, err := selectionOf(wrong, now); err == nil {
			t.Errorf("%+v was accepted as %+v", wrong, sel)
		}
	}
}
