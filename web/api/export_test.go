package api

import (
	"log/slog"

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
