package replay

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
)

var (
	bad  = outbound.Answer{Outcome: event.OutcomeStatus, Status: 503, Err: "answered 503"}
	good = outbound.Answer{Outcome: event.OutcomeDelivered, Status: 200}
	noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
)

// TestBreakerIsLogged verifies one warning when the breaker opens and one line when it closes, each with the number of
// failed attempts so far.
func TestBreakerIsLogged(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	b := outbound.NewBreaker(outbound.BreakerOptions{Failures: 3, ProbeAfter: 10 * time.Second, ProbeMax: time.Minute})
	now := noon
	for _, a := range []outbound.Answer{bad, good, bad, bad, bad, bad, bad, good, good} {
		admitted, _ := b.Admit(now)
		logChange(logger, b.Report(admitted, a, now))
		now = now.Add(time.Hour)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], "breaker opens") ||
		!strings.Contains(lines[0], "failed_attempts=3 next_attempt_in=10s") ||
		!strings.Contains(lines[1], "level=INFO") || !strings.Contains(lines[1], "breaker closes") ||
		!strings.Contains(lines[1], "failed_attempts=5") {
		t.Errorf("got the log\n%s", log.String())
	}
}
