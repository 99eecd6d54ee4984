package event

import (
	"fmt"
	"strings"
	"time"
)

// ForwardState is how an endpoint has lately answered the External Requests of a source that forwards to it.
type ForwardState struct {
	Source       string    `json:"source" doc:"The source."`
	Endpoint     string    `json:"-"`
	Requests     uint64    `json:"requests" doc:"How many requests the source has forwarded in the last 24 hours, also those that were not sent because the endpoint was failing."`
	LastAt       time.Time `json:"last_at,omitzero" doc:"The time of the last of them."`
	Failures     uint64    `json:"failures" doc:"How many requests in a row have failed: no answer in time, or none that is complete. Whatever status an answer has, it is an answer."`
	FailingSince time.Time `json:"failing_since,omitzero" doc:"The first of these failures."`
	Error        string    `json:"error,omitempty" doc:"Why the last of them failed."`
	NextProbe    time.Time `json:"next_probe,omitzero" doc:"While the circuit breaker is open: the first request after this time tries the endpoint. Bots get the fallback until then."`
}

// Text says in a sentence what is wrong; "" if nothing is.
func (s ForwardState) Text() string {
	if s.Failures == 0 {
		return ""
	}
	text := fmt.Sprintf("External Requests of %s fail since %s (%d in a row): %s", s.Source,
		s.FailingSince.UTC().Format("2006-01-02 15:04:05 UTC"), s.Failures, s.Error)
	if !s.NextProbe.IsZero() {
		text += ". Bots get the fallback, and the first request after " + s.NextProbe.UTC().Format("15:04:05 UTC") +
			" tries it again"
	}
	return text
}

const (
	breakerOpen  = "circuit breaker open until "
	breakerProbe = "; nothing was sent"
	breakerTime  = "2006-01-02T15:04:05.000Z07:00"
)

// BreakerOpen returns the error of a request that was not sent, because the breaker of its endpoint is open until a
// time.
func BreakerOpen(until time.Time) string {
	return breakerOpen + until.UTC().Format(breakerTime) + breakerProbe
}

// OpenUntil returns the time in an error that [BreakerOpen] returned, to which something may be added; the zero time
// for another error.
func OpenUntil(text string) time.Time {
	text, _ = strings.CutPrefix(text, breakerOpen)
	text, _, _ = strings.Cut(text, breakerProbe)
	at, _ := time.Parse(breakerTime, text) // zero for another text
	return at
}
