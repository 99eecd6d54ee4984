package receiver

import (
	"fmt"
	"net/http"
	"time"
)

// Behaviour is how a receiver answers.
type Behaviour struct {
	status     int           // 0: no answer
	retryAfter time.Duration // whole seconds; 0: no Retry-After
	hang       bool          // keep the connection open without an answer until the behaviour changes
}

// Behaviours without parameters.
var (
	OK          = Behaviour{status: http.StatusOK}
	Unavailable = Behaviour{status: http.StatusServiceUnavailable}
	Hang        = Behaviour{hang: true}
	Reset       = Behaviour{}
)

// Busy answers 429 with a Retry-After of whole seconds.
func Busy(retryAfter time.Duration) Behaviour {
	return Behaviour{status: http.StatusTooManyRequests, retryAfter: retryAfter}
}

// behaving is a receiver's current behaviour.
type behaving struct {
	Behaviour
	answer []byte
	over   chan struct{} // closed when the behaviour changes
}

func newBehaving(b Behaviour) *behaving {
	extra := ""
	if b.retryAfter > 0 {
		extra = fmt.Sprintf("Retry-After: %d\r\n", int(b.retryAfter.Seconds()))
	}
	answer := response(b.status, extra, http.StatusText(b.status))
	return &behaving{Behaviour: b, answer: answer, over: make(chan struct{})}
}

func response(status int, extra, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), extra, len(body), body)
}
