package event

import (
	"fmt"
	"time"
)

// ForwardState is how an endpoint has lately answered the External Requests of a source that forwards to it.
type ForwardState struct {
	Source       string    `json:"source" doc:"The source."`
	Endpoint     string    `json:"-"`
	Failures     uint64    `json:"failures" doc:"How many requests in a row have failed in the last 24 hours: no answer in time, or none that is complete. Whatever status an answer has, it is an answer."`
	FailingSince time.Time `json:"failing_since,omitzero" doc:"The first of these failures."`
	Error        string    `json:"error,omitempty" doc:"Why the last of them failed."`
}

// Text says in a sentence what is wrong; "" if nothing is.
func (s ForwardState) Text() string {
	if s.Failures == 0 {
		return ""
	}
	return fmt.Sprintf("External Requests of %s fail since %s (%d in a row): %s. Bots get the fallback; their "+
		"requests try the endpoint again", s.Source, s.FailingSince.UTC().Format("2006-01-02 15:04:05 UTC"),
		s.Failures, s.Error)
}
