package ingest

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/peraddress"
)

// rejects decides which rejected requests are stored: anyone on the internet can send them, so they must not be able to fill
// the disk, nor push each other out. Strangers, who name no configured source, cannot use up what is for the rejected
// requests of known sources: a BotHelp that still has an old token is seen whatever strangers do.
type rejects struct{ known, strangers *rejectLimiter }

func newRejects(l Limits, logger *slog.Logger) rejects {
	return rejects{known: newRejectLimiter(l, "known sources", logger), strangers: newRejectLimiter(l, "unknown sources", logger)}
}

// keep reports whether to store a rejected request of so many bytes. known says whether it names a configured source.
func (r rejects) keep(addr netip.Addr, known bool, size int64) bool {
	if known {
		return r.known.keep(addr, size)
	}
	return r.strangers.keep(addr, size)
}

// rejectLimiter limits requests for each address and in total, and bytes a day. The bytes are counted in memory, as they
// came: a restart begins again.
type rejectLimiter struct {
	of         string
	perAddress *peraddress.Limiter
	total      *rate.Limiter
	daily      int64
	logger     *slog.Logger

	mu   sync.Mutex
	day  string
	used int64
	said bool // that the day's bytes are used up
}

func newRejectLimiter(l Limits, of string, logger *slog.Logger) *rejectLimiter {
	return &rejectLimiter{of: of, daily: l.RejectedDaily / 2, logger: logger,
		perAddress: peraddress.New(rate.Limit(l.RejectedPerAddress.PerSecond), l.RejectedPerAddress.Burst),
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
		r.day, r.used, r.said = day, 0, false
	}
	if r.used+size > r.daily {
		if !r.said {
			r.said = true
			r.logger.Warn("rejected requests have used up their bytes of today; until midnight UTC they are only counted",
				"requests_to", r.of, "bytes", r.used, "setting", "ingest.rejected_daily")
		}
		return false
	}
	r.used += size
	return true
}
