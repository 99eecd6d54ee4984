package ingest

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/httpserver"
)

// rejectLimiters decide which rejected requests are stored. Anyone on the internet can send them, so they must neither
// fill the disk nor displace each other. Requests to unknown sources have a limiter of their own, so they cannot use up
// that for rejected requests to known sources: a BotHelp that still has an old token stays visible.
type rejectLimiters struct{ known, unknown *rejectLimiter }

func newRejectLimiters(l Limits, logger *slog.Logger) rejectLimiters {
	return rejectLimiters{known: newRejectLimiter(l, "known sources", logger),
		unknown: newRejectLimiter(l, "unknown sources", logger)}
}

// keep reports whether to store a rejected request of size bytes. known reports whether it names a configured source.
func (r rejectLimiters) keep(addr netip.Addr, known bool, size int64) bool {
	if known {
		return r.known.keep(addr, size)
	}
	return r.unknown.keep(addr, size)
}

// rejectLimiter limits requests for each address and in total, and bytes a day. It counts the received bytes in memory:
// a restart resets the count.
type rejectLimiter struct {
	of         string // for the log
	perAddress *httpserver.Limiter
	total      *rate.Limiter
	daily      int64
	logger     *slog.Logger

	mu     sync.Mutex
	day    string
	used   int64
	logged bool // the log says that the day's bytes are used up
}

func newRejectLimiter(l Limits, of string, logger *slog.Logger) *rejectLimiter {
	return &rejectLimiter{of: of, daily: l.RejectedDaily / 2, logger: logger,
		perAddress: httpserver.NewLimiter(rate.Limit(l.RejectedPerAddress.PerSecond), l.RejectedPerAddress.Burst),
		total:      rate.NewLimiter(rate.Limit(l.RejectedTotal.PerSecond), l.RejectedTotal.Burst)}
}

func (r *rejectLimiter) keep(addr netip.Addr, size int64) bool {
	return r.perAddress.Allow(addr) && r.total.Allow() && r.today(size)
}

// today counts bytes of this day (UTC), and reports whether they are within its budget.
func (r *rejectLimiter) today(size int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if day := time.Now().UTC().Format(time.DateOnly); day != r.day {
		r.day, r.used, r.logged = day, 0, false
	}
	if r.used+size > r.daily {
		if !r.logged {
			r.logged = true
			r.logger.Warn("rejected requests have used up today's bytes; until midnight UTC they are only counted",
				"requests_to", r.of, "bytes", r.used, "setting", "ingest.rejected_daily")
		}
		return false
	}
	r.used += size
	return true
}
