package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/redact"
)

// Answer is the result of an attempt.
type Answer struct {
	Outcome event.Outcome
	Status  uint16         // 0 if no response arrived
	Headers []event.Header // of the response, sorted by name
	Body    []byte         // its first 16 KiB
	// Err describes the failure for the operator of the endpoint. A delivered answer has one, too, if its body is
	// incomplete.
	Err string
	// RetryAfter is the time for which the endpoint wants no further requests; 0 if it gives none.
	RetryAfter time.Duration
}

// MaxRetryAfter is the longest that a Retry-After may delay a delivery.
const MaxRetryAfter = 24 * time.Hour

// maxResponseHeader is the number of bytes that a response's header may have.
const maxResponseHeader = 64 << 10

// Classify returns what the header of a response says about the attempt. The body may still be unread.
func Classify(response *http.Response) Answer {
	a := Answer{Outcome: event.OutcomeDelivered, Status: uint16(response.StatusCode)}
	a.Headers = sortedHeaders(response.Header)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		a.Outcome, a.Err = event.OutcomeStatus, "answered "+clip(response.Status)
		if response.StatusCode/100 == 3 && response.Header.Get("Location") != "" {
			a.Err += " (redirects are not followed)"
		}
		a.RetryAfter = retryAfter(response.Header, time.Now())
	}
	return a
}

// retryAfter parses a Retry-After (RFC 9110, section 10.2.3): seconds or a date. A date counts from the Date of the
// same response, because the endpoint's clock may differ from this machine's.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(MaxRetryAfter/time.Second))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return MaxRetryAfter
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}

// Error reports that no response, or only a part of one, arrived.
type Error struct {
	Outcome event.Outcome
	Text    string // for the operator of the endpoint, without the URL
	err     error
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the error of net/http.
func (e *Error) Unwrap() error { return e.err }

// explain makes an [Error] of an error of net/http. Some of these have no type and are recognized by their text.
func explain(err error, at stage, timeout time.Duration) *Error {
	err = redact.WithoutURL(err)
	outcome, text := classifyError(err, at, timeout)
	return &Error{outcome, text, err}
}

func classifyError(err error, at stage, timeout time.Duration) (event.Outcome, string) {
	if forbidden, ok := errors.AsType[*ForbiddenAddrError](err); ok {
		return event.OutcomeForbidden, forbidden.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return event.OutcomeNoConn, fmt.Sprintf("name %q: %s", dns.Name, dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return event.OutcomeNoConn, fmt.Sprintf("connect to %v: %s", op.Addr, reason(op.Err))
	}
	text := err.Error()
	for _, malformed := range []string{"malformed HTTP", "malformed MIME"} { // before TLS: the text quotes the endpoint
		if i := strings.Index(text, malformed); i >= 0 {
			return event.OutcomeBroken, "the answer is not HTTP: " + clip(text[i:])
		}
	}
	if isTLS(text) {
		return event.OutcomeNoConn, "TLS: " + clip(strings.TrimPrefix(strings.TrimPrefix(text, "tls: "), "http: "))
	}
	if timedOut, ok := errors.AsType[net.Error](err); ok && timedOut.Timeout() {
		return timeoutAt(at, timeout)
	}
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case (reset || closed) && at == handshaking:
		return event.OutcomeNoConn, "TLS: the endpoint ended the connection in the handshake"
	case reset:
		return event.OutcomeBroken, "the endpoint reset the connection"
	case closed && at == waiting:
		return event.OutcomeBroken, "the endpoint closed the connection without an answer"
	case closed:
		return event.OutcomeBroken, "the endpoint closed the connection in mid-answer"
	case strings.Contains(text, "client conn could not be established"):
		// HTTP/2 hides the TLS alert. The alert for a missing certificate arrives only now (RFC 8446, section 4.4.2.4).
		return event.OutcomeNoConn, "TLS: the endpoint ended the connection after the handshake; it may want a " +
			"client certificate"
	case strings.Contains(text, "server closed idle connection"):
		return event.OutcomeBroken, "the endpoint closed the connection before the request was sent"
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "header list larger"):
		return event.OutcomeBroken, fmt.Sprintf("the answer's header is larger than %d KiB", maxResponseHeader>>10)
	}
	return event.OutcomeBroken, clip(text)
}

func timeoutAt(at stage, timeout time.Duration) (event.Outcome, string) {
	switch at {
	case connecting:
		return event.OutcomeNoConn, fmt.Sprintf("no connection within %s", timeout)
	case handshaking:
		return event.OutcomeNoConn, "TLS: the handshake did not end in time"
	case waiting:
		return event.OutcomeTimeout, fmt.Sprintf("no answer within %s", timeout)
	}
	return event.OutcomeTimeout, fmt.Sprintf("no whole answer within %s", timeout)
}

// isTLS reports whether an error is of TLS: an error of crypto/tls or an alert of the other end.
func isTLS(text string) bool {
	return strings.Contains(text, "tls: ") || strings.Contains(text, "HTTP response to HTTPS client")
}

// reason returns why a dial failed.
func reason(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if timedOut, ok := errors.AsType[net.Error](err); ok && timedOut.Timeout() {
		return "no answer in time"
	}
	return err.Error()
}

// clip bounds the text of an endpoint in an error.
func clip(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// stage is how far an attempt has come.
type stage int32

const (
	connecting stage = iota
	handshaking
	waiting // for the response; the request may still be under way
	inHeader
	inBody
)

// progress follows an attempt, because net/http's errors do not say at which stage it failed.
type progress struct{ at atomic.Int32 }

func (p *progress) stage() stage { return stage(p.at.Load()) }

// watch returns a context for the request to follow. A connection that is dialed for this request may serve another one
// and is still reported here, so a stage never goes back.
func (p *progress) watch(ctx context.Context) context.Context {
	reached := func(s stage) {
		for {
			now := p.at.Load()
			if now >= int32(s) || p.at.CompareAndSwap(now, int32(s)) {
				return
			}
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		TLSHandshakeStart: func() { reached(handshaking) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err == nil {
				reached(waiting)
			}
		},
		GotConn:              func(httptrace.GotConnInfo) { reached(waiting) },
		GotFirstResponseByte: func() { reached(inHeader) },
	})
}
