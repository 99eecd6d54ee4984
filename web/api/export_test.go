package api

import (
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/httpserver"
)

func init() { maxStreams = 8 }

// PatientGuard returns a guard that allows an address many wrong tokens.
func PatientGuard(logger *slog.Logger) *Guard {
	g := NewGuard(logger)
	g.failures = httpserver.NewLimiter(rate.Every(wrongEvery), 10_000)
	return g
}

// WithWatchTimeout changes how long the API may take for one progress of a replay.
func (c *Client) WithWatchTimeout(d time.Duration) *Client {
	c.watchTimeout = d
	return c
}
