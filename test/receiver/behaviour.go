package receiver

import (
	"fmt"
	"net/http"
	"time"
)

// Behaviour is how a receiver answers.
type Behaviour struct {
	status     int           // 0: no answer
	retryAfter time.Duration // whole seconds; 0: says nothing of it
	hang       bool          // without an answer, keep the connection until the behaviour changes
}

// The behaviours that need no more words.
var (
	OK          = Behaviour{status: http.StatusOK}
	Unavailable = Behaviour{status: http.StatusServiceUnavailable}
	Hang        = Behaviour{hang: true}
	Reset       = Behaviour{}
)

// Busy asks to be left alone for whole seconds.
func Busy(retryAfter time.Duration) Behaviour {
	return Behaviour{status: http.StatusTooManyRequests, retryAfter: retryAfter}
}

// answer is what a behaviour writes.
func (b Behaviour) answer() []byte {
	extra := ""
	if b.retryAfter > 0 {
		extra = fmt.Sprintf("Retry-After: %d\r\n", int(b.retryAfter.Seconds()))
	}
	return response(b.status, extra, http.StatusText(b.status))
}

func response(status int, extra, body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\n%sContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), extra, len(body), body)
}

// manner is a behaviour in force.
type manner struct {
	Behaviour
	written []byte
	over    chan struct{} // closed when another one is in force
}

func mannerOf(b Behaviour) *manner {
	return &manner{Behaviour: b, written: b.answer(), over: make(chan struct{})}
}
