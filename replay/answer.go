package replay

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/redact"
)

// answer is what came back of an attempt.
type answer struct {
	outcome event.Outcome
	status  uint16
	headers []event.Header
	body    []byte
	err     string
	// retryAfter is how long the endpoint asks to be left alone; 0 when it does not.
	retryAfter time.Duration
}

// answerOf is what a response says before its body is read.
func answerOf(response *http.Response) answer {
	a := answer{outcome: event.OutcomeDelivered, status: uint16(response.StatusCode)}
	for name, values := range response.Header {
		for _, value := range values {
			a.headers = append(a.headers, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(a.headers, func(x, y event.Header) int { return strings.Compare(x.Name, y.Name) })
	if response.StatusCode < 200 || response.StatusCode > 299 {
		a.outcome, a.err = event.OutcomeStatus, "answered "+clip(response.Status)
		if response.StatusCode/100 == 3 && response.Header.Get("Location") != "" {
			a.err += " (redirects are not followed)"
		}
		a.retryAfter = retryAfter(response.Header, time.Now())
	}
	return a
}

// retryAfter reads a Retry-After (RFC 9110, section 10.2.3): seconds, or a date, which is counted from the Date of the
// same answer, for the endpoint's clock need not be ours.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if errors.Is(err, strconv.ErrRange) {
		return maxRetryAfter
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}

// describe tells, in a sentence for the person who looks after the endpoint, why there is no whole answer. The URL is
// not part of it. Where net/http has no type for an error, its text is what there is to tell it by.
func describe(err error, at stage, timeout time.Duration) (event.Outcome, string) {
	err = redact.WithoutURL(err)
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
	for _, malformed := range []string{"malformed HTTP", "malformed MIME"} { // before TLS: the endpoint's words are in it
		if i := strings.Index(text, malformed); i >= 0 {
			return event.OutcomeBroken, "the answer is no HTTP: " + clip(text[i:])
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
		// HTTP/2 does not pass on what TLS was told; that a certificate is missing comes only now (RFC 8446, section 4.4.2.4).
		return event.OutcomeNoConn, "TLS: the endpoint ended the connection after the handshake; it may want a certificate of ours"
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
		return event.OutcomeNoConn, "TLS: the handshake does not end"
	case waiting:
		return event.OutcomeTimeout, fmt.Sprintf("no answer within %s", timeout)
	}
	return event.OutcomeTimeout, fmt.Sprintf("no whole answer within %s", timeout)
}

// isTLS tells whether TLS is what failed: its errors, and the alerts of the other end, begin so.
func isTLS(text string) bool {
	return strings.Contains(text, "tls: ") || strings.Contains(text, "HTTP response to HTTPS client")
}

// reason is the part of a dial's error that says why.
func reason(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if timedOut, ok := errors.AsType[net.Error](err); ok && timedOut.Timeout() {
		return "no answer in time"
	}
	return err.Error()
}

// clip bounds what an endpoint can bring into an error.
func clip(text string) string {
	const most = 200
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
