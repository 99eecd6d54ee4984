package api_test

import (
	"testing"
	"time"

	"hooktape/web/api"
)

// TestLocalTimes covers clocks that are set back, set ahead, and neither.
func TestLocalTimes(t *testing.T) {
	for _, c := range []struct{ zone, wall, first, last string }{
		{"Europe/Berlin", "2026-10-25 02:15:00", "2026-10-25T00:15:00Z", "2026-10-25T01:15:00Z"},
		{"Europe/Berlin", "2026-10-25 02:00:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 03:00:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
		{"Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z", "2026-10-24T23:59:59Z"},
		{"America/New_York", "2026-11-01 01:30:00", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		{"Europe/Berlin", "2026-03-29 02:00:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29 02:59:59", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29 03:00:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"America/New_York", "2026-03-08 02:30:00", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"},
		{"America/Santiago", "2026-09-06 00:00:00", "2026-09-06T04:00:00Z", "2026-09-06T04:00:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:45:00", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"},
		{"Pacific/Apia", "2011-12-30 12:00:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"}, // a day that never was
		{"Europe/Moscow", "2026-10-25 02:15:00", "2026-10-24T23:15:00Z", "2026-10-24T23:15:00Z"},
		{"UTC", "2026-10-25 02:15:00", "2026-10-25T02:15:00Z", "2026-10-25T02:15:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := time.Parse(time.DateTime, c.wall)
		if err != nil {
			t.Fatal(err)
		}
		first, last := api.LocalTimes(wall, zone)
		if got := first.UTC().Format(time.RFC3339) + " " + last.UTC().Format(time.RFC3339); got != c.first+" "+c.last {
			t.Errorf("%s in %s: %s, want %s %s", c.wall, c.zone, got, c.first, c.last)
		}
	}
}
