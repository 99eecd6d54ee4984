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

// An address may send a burst of wrongBurst wrong tokens, and then one per wrongEvery.
const (
	wrongBurst = 10
	wrongEvery = 6 * time.Second
)

// RetryAfterWrong is the value of Retry-After for an address at its limit, in seconds.
var RetryAfterWrong = strconv.Itoa(int(wrongEvery / time.Second))

// Guard limits the wrong tokens of each client address, over the API and the console's login together, and counts them
// in the metric hooktape.tokens.wrong. An address at its limit is refused whatever token it sends: otherwise the answer
// would reveal a right one.
type Guard struct {
	failures *httpserver.Limiter
	wrong    metric.Int64Counter
	logger   *slog.Logger

	mu       sync.Mutex
	unlogged int
	log      rate.Sometimes
}

// Where a token was tried: values of the attribute hooktape.door.
const (
	AtAPI     = "api"
	AtConsole = "console"
)

// NewGuard returns a guard that has seen no wrong token.
func NewGuard(logger *slog.Logger) *Guard {
	wrong, _ := otel.Meter("hooktape/web/api").Int64Counter("hooktape.tokens.wrong", metric.WithUnit("{token}"),
		metric.WithDescription("Wrong tokens tried at the API and at the console's login."))
	g := &Guard{failures: httpserver.NewLimiter(rate.Every(wrongEvery), wrongBurst), wrong: wrong, logger: logger,
		log: rate.Sometimes{First: 1, Interval: time.Minute}}
	for _, where := range []string{AtAPI, AtConsole} {
		g.count(where, 0) // alerts need the metric before the first wrong token
	}
	return g
}

// Open reports whether an address may try a token.
func (g *Guard) Open(addr netip.Addr) bool { return g.failures.Open(addr) }

// Fail counts a wrong token. It logs at most one line a minute, with the number since the last line.
func (g *Guard) Fail(where string, addr netip.Addr) {
	g.failures.Allow(addr)
	g.count(where, 1)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unlogged++
	g.log.Do(func() {
		g.logger.Warn("wrong tokens are tried", "at", where, "remote_ip", addr, "since_last_line", g.unlogged)
		g.unlogged = 0
	})
}

func (g *Guard) count(where string, n int64) {
	g.wrong.Add(context.Background(), n, metric.WithAttributes(attribute.String("hooktape.door", where)))
}
