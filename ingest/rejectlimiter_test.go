package ingest

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRejectedBytesOfTheDay verifies that the daily budget is renewed at midnight UTC.
func TestRejectedBytesOfTheDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		limits := Limits{RejectedPerAddress: Rate{1, 1000}, RejectedTotal: Rate{1, 1000}, RejectedDaily: 2000}
		r := newRejectLimiter(limits, "unknown sources", slog.New(slog.NewTextHandler(&log, nil)))
		addr := netip.MustParseAddr("192.0.2.1")
		for day := range 3 {
			kept := 0
			for range 10 {
				if r.keep(addr, 300) {
					kept++
				}
			}
			if kept != 3 { // 3 of the half of 2000
				t.Errorf("day %d: %d stored", day, kept)
			}
			if n := strings.Count(log.String(), "used up"); n != day+1 {
				t.Errorf("day %d: logged %d times", day, n)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}
