package panels_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"hooktape/dashboards"
	"hooktape/internal/event"
)

// TestSpellings verifies that the panel groups spellings that look alike, and no others.
func TestSpellings(t *testing.T) {
	db, stored := empty(t)
	var events []event.Event
	for i, tag := range []string{"vk", "VK ", "vk\t", "\u00a0Vk", "v\u200bk", "ｖｋ", "майский", "маи\u0306скии\u0306",
		"Ёлка", "елка", "vk ads", "vk\u00a0\u00a0ADS", "vkads", "other"} {
		at := until.Add(time.Duration(i-60) * time.Minute)
		events = append(events, event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "s",
			Step: "start", Verdict: event.Accepted},
			Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint(i + 1), UTMSource: tag}})
	}
	if err := stored.InsertEvents(context.Background(), "", events); err != nil {
		t.Fatal(err)
	}
	v := dashboards.View{From: until.Add(-24 * time.Hour), To: until, Plugin: 4,
		Values: map[string][]string{"source": {"s"}}}
	got := map[string]uint64{}
	for _, r := range db.see(t, conversion, "UTM spelling variants", v) {
		got[r.s("Normalized")] = r.n("Requests")
	}
	if want := map[string]uint64{"vk": 6, "майский": 2, "елка": 2, "vk ads": 2}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("grouped spellings: %v, want %v", got, want)
	}
}
