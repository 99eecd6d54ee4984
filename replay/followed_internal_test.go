package replay

import (
	"testing"
	"time"

	"hooktape/event"
)

// TestLastFollowed: where a shard goes on, however the work was divided before. To begin too late loses events; to begin
// where a division of long ago left off would send months again.
func TestLastFollowed(t *testing.T) {
	begun := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return begun.AddDate(0, 0, n) }
	at := func(shard string, until int) event.EndpointState {
		return event.EndpointState{Endpoint: "crm", Shard: shard, State: stateActive, FollowedSince: begun, FollowedUntil: day(until), UpdatedAt: day(until)}
	}
	gone := at("1/1", 9)
	gone.State = stateRemoved
	for name, c := range map[string]struct {
		states []event.EndpointState
		shard  string
		until  int // 0: nobody has followed
	}{
		"nobody":                      {nil, "1/1", 0},
		"removed":                     {[]event.EndpointState{gone}, "1/1", 0},
		"its own, ahead of the other": {[]event.EndpointState{at("1/2", 7), at("2/2", 5)}, "1/2", 7},
		"its own":                     {[]event.EndpointState{at("1/2", 7), at("2/2", 5)}, "2/2", 5},
		"the first of two":            {[]event.EndpointState{at("1/1", 3)}, "1/2", 3},
		"the second, an hour later":   {[]event.EndpointState{at("1/1", 3), at("1/2", 4)}, "2/2", 3},
		"alone again":                 {[]event.EndpointState{at("1/1", 3), at("1/2", 8), at("2/2", 7)}, "1/1", 7},
		"alone, the second never ran": {[]event.EndpointState{at("1/1", 3), at("1/2", 8)}, "1/1", 3},
		"three, after two, after one": {[]event.EndpointState{at("1/1", 1), at("1/2", 8), at("2/2", 7), at("1/3", 9)}, "3/3", 7},
	} {
		last, known := lastFollowed(c.states, "crm", c.shard)
		if known != (c.until != 0) || known && !last.FollowedUntil.Equal(day(c.until)) {
			t.Errorf("%s: from %v, %v; want day %d", name, last.FollowedUntil, known, c.until)
		}
	}
}
