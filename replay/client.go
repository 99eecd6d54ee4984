package replay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hooktape/event"
)

const (
	attemptTimeout   = 10 * time.Second
	maxResponseBytes = 16 << 10
	maxIdlePerHost   = 64
)

// newClient makes the client for deliveries: no redirects, no proxy, and, unless allowPrivate, no connection to an
// address that is not on the public internet. The address is checked after the name is resolved, at every dial, so that
// a name whose address changes gains nothing.
func newClient(allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !allowPrivate {
		dialer.Control = func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           1024,
			MaxIdleConnsPerHost:    maxIdlePerHost,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    5 * time.Second,
			DisableCompression:     true, // the answer is kept as it came
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ForbiddenAddrError: the endpoint's name leads to an address that deliveries may not go to.
type ForbiddenAddrError struct{ Addr netip.Addr }

func (e *ForbiddenAddrError) Error() string {
	return fmt.Sprintf("%s is not on the public internet; replay.allow_private in the configuration allows it", e.Addr)
}

// reserved are what IANA's special-purpose registries keep from the public internet, beyond what netip knows: this
// network, carriers, protocol assignments, benchmarks, reserved; and the IPv6 forms that carry an IPv4 address.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

func checkAddress(address string) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	addr := ap.Addr().Unmap().WithZone("")
	if !addr.IsGlobalUnicast() || addr.IsPrivate() ||
		slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return &ForbiddenAddrError{addr}
	}
	return nil
}

// CheckURL says what is wrong with an endpoint's URL.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return fmt.Errorf("endpoint URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("endpoint URL %q: it must begin with http:// or https://", u.Redacted())
	case u.Hostname() == "":
		return fmt.Errorf("endpoint URL %q names no host", u.Redacted())
	case u.Port() != "" && !validPort(u.Port()):
		return fmt.Errorf("endpoint URL %q: a port lies between 1 and 65535", u.Redacted())
	case u.User != nil:
		return errors.New("endpoint URL: a user and password in it would be stored with each attempt; leave them out")
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// answer is what came back of an attempt.
type answer struct {
	outcome event.Outcome
	status  uint16
	headers []event.Header
	body    []byte
	err     string
}

// send makes one attempt.
func send(client *http.Client, r *http.Request) answer {
	ctx, cancel := context.WithTimeout(r.Context(), attemptTimeout)
	defer cancel()
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		outcome, text := describe(err)
		return answer{outcome: outcome, err: text}
	}
	defer response.Body.Close()
	a := answer{outcome: event.OutcomeDelivered, status: uint16(response.StatusCode)}
	for name, values := range response.Header {
		for _, value := range values {
			a.headers = append(a.headers, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(a.headers, func(x, y event.Header) int { return strings.Compare(x.Name, y.Name) })
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxResponseBytes))
	switch {
	case response.StatusCode < 200 || response.StatusCode > 299:
		a.outcome, a.err = event.OutcomeStatus, "answered "+response.Status
	case err != nil:
		// The status said yes, but the answer broke off: whether the receiver is done nobody can tell.
		a.outcome, a.err = describe(err)
		a.err = "answered " + response.Status + ", then: " + a.err
	}
	return a
}

// describe tells, in a sentence for the person who looks after the endpoint, why there is no whole answer. The URL is
// not part of it.
func describe(err error) (event.Outcome, string) {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if forbidden, ok := errors.AsType[*ForbiddenAddrError](err); ok {
		return event.OutcomeForbidden, forbidden.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return event.OutcomeNoConn, fmt.Sprintf("name %q: %s", dns.Name, dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return event.OutcomeNoConn, fmt.Sprintf("connect to %v: %s", op.Addr, syscallText(op.Err))
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return event.OutcomeTimeout, fmt.Sprintf("no whole answer within %s", attemptTimeout)
	}
	if certificate, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return event.OutcomeNoConn, "TLS: " + certificate.Error()
	}
	switch {
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return event.OutcomeBroken, "the endpoint reset the connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return event.OutcomeBroken, "the endpoint closed the connection in mid-answer"
	case strings.Contains(err.Error(), "tls:"), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		// net/http has no type for these.
		return event.OutcomeNoConn, "TLS: " + err.Error()
	}
	return event.OutcomeBroken, err.Error()
}

func syscallText(err error) string {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return err.Error()
}

// retryable: no answer, or one that asks to come again (408, 425, 429, 5xx); other statuses are final, and so is an
// address that may not be called.
func (a answer) retryable() bool {
	switch {
	case a.outcome == event.OutcomeDelivered, a.outcome == event.OutcomeForbidden, a.outcome == event.OutcomeImpossible:
		return false
	case a.outcome != event.OutcomeStatus:
		return true
	}
	return a.status == http.StatusRequestTimeout || a.status == http.StatusTooEarly ||
		a.status == http.StatusTooManyRequests || a.status >= 500
}
