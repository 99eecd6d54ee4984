package api

import (
	"context"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/time/rate"

	"hooktape/internal/httpserver"
)

// An address may try this many wrong tokens at once, and then one more in each interval.
const (
	wrongAtOnce = 10
	wrongEvery  = 6 * time.Second
)

// TryAgainAfter is when an address that has tried too many wrong tokens may try again, in seconds: the value of Retry-After.
var TryAgainAfter = strconv.Itoa(int(wrongEvery / time.Second))

// Guard limits how many wrong tokens each address can try, at the API and at the console's login together, and counts them
// in the metric hooktape.tokens.wrong. An address at its limit is refused whatever it sends: otherwise the answer would
// still tell a right token.
type Guard struct {
	failures *httpserver.Limiter
	wrong    metric.Int64Counter
	logger   *slog.Logger

	mu    sync.Mutex
	tried int // since the last line of the log
	quiet rate.Sometimes
}

// Door is where a token is asked for.
type Door string

// The doors.
const (
	DoorAPI     Door = "api"
	DoorConsole Door = "console"
)

// NewGuard returns a guard without any failures.
func NewGuard(logger *slog.Logger) *Guard {
	wrong, _ := otel.Meter("hooktape/web/api").Int64Counter("hooktape.tokens.wrong", metric.WithUnit("{token}"),
		metric.WithDescription("Wrong tokens tried at the API and at the console's login."))
	g := &Guard{failures: httpserver.NewLimiter(rate.Every(wrongEvery), wrongAtOnce), wrong: wrong, logger: logger,
		quiet: rate.Sometimes{First: 1, Interval: time.Minute}}
	for _, door := range []Door{DoorAPI, DoorConsole} {
		g.count(door, 0) // there from the start, for alerts
	}
	return g
}

// Open reports whether an address may try a token.
func (g *Guard) Open(addr netip.Addr) bool { return g.failures.Open(addr) }

// Fail counts a wrong token. The log has a line a minute at most, with how many there were since the last.
func (g *Guard) Fail(door Door, addr netip.Addr) {
	g.failures.Allow(addr)
	g.count(door, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tried++
	g.quiet.Do(func() {
		g.logger.Warn("wrong tokens are tried", "at", string(door), "remote_ip", addr, "since_last_line", g.tried)
		g.tried = 0
	})
}

func (g *Guard) count(door Door, n int64) {
	g.wrong.Add(context.Background(), n, metric.WithAttributes(attribute.String("hooktape.door", string(door))))
}
