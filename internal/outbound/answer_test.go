package outbound

import (
	"net/http"
	"testing"
	"time"
)

func TestReadRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text, date string
		want       time.Duration
	}{
		{"120", "", 2 * time.Minute},
		{" 7 ", "", 7 * time.Second},
		{"0", "", 0},
		{"", "", 0},
		{"-5", "", 0},
		{"1.5", "", 0},
		{"soon", "", 0},
		{"99999999", "", 24 * time.Hour},
		{"99999999999999999999999999", "", 24 * time.Hour},
		{"Wed, 04 Mar 2026 12:00:30 GMT", "", 30 * time.Second},
		{"Wednesday, 04-Mar-26 12:00:30 GMT", "", 30 * time.Second},
		{"Wed Mar  4 12:00:30 2026", "", 30 * time.Second},
		{"Wed, 04 Mar 2026 11:00:00 GMT", "", 0},
		{"Wed, 04 Mar 2027 11:00:00 GMT", "", 24 * time.Hour},
		// the endpoint's clock is behind
		{"Wed, 04 Mar 2026 09:01:00 GMT", "Wed, 04 Mar 2026 09:00:00 GMT", time.Minute},
		{"Wed, 04 Mar 2026 12:01:00 GMT", "today", time.Minute},
	} {
		h := http.Header{"Retry-After": {c.text}, "Date": {c.date}}
		if got := retryAfter(h, now); got != c.want {
			t.Errorf("%q at %q: %s, want %s", c.text, c.date, got, c.want)
		}
	}
}
