package replay

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"hooktape/internal/event"
	"hooktape/internal/setting"
)

// endpointName keeps names apart from URLs, which stand in the same columns for endpoints that are only a URL.
var endpointName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

const (
	maxTimeout     = 10 * time.Minute // a worker waits so long
	maxConcurrency = 1024
)

// Validate says all that is wrong at once: what it returns joins a [*setting.Fault] for each. It reads the files that TLS names.
func (e *Endpoint) Validate() error {
	var f setting.Faults
	if !e.adHoc {
		f.Unless(endpointName.MatchString(e.Name), "name", "%q must be lower-case letters, digits, - and _, at most 64, a letter or digit first", e.Name)
	}
	f.Err("url", e.checkURL())
	if e.Subscribe != nil {
		e.Subscribe.validate(&f)
	}
	for i, h := range e.Headers {
		f.Err(fmt.Sprintf("headers[%d]", i), CheckHeader(h))
	}
	for i, name := range e.DropHeaders {
		f.Unless(httpguts.ValidHeaderFieldName(name), fmt.Sprintf("drop_headers[%d]", i), "%q is no name of a header", name)
	}
	for i, name := range e.KeepHeaders {
		f.Err(fmt.Sprintf("keep_headers[%d]", i), CheckHeader(event.Header{Name: name}))
		f.Unless(!headerSet(e.DropHeaders)[http.CanonicalHeaderKey(name)], fmt.Sprintf("keep_headers[%d]", i), "%s is in drop_headers too", name)
	}
	f.Unless(e.Timeout > 0 && e.Timeout <= maxTimeout, "timeout", "must be more than 0 and at most %s", brief(maxTimeout))
	f.Unless(e.Rate >= 0 && !math.IsInf(e.Rate, 0), "rate", "must be a number of requests a second, or 0 for no limit")
	f.Unless(e.Concurrency >= 1 && e.Concurrency <= maxConcurrency, "concurrency", "must lie between 1 and %d", maxConcurrency)
	f.Unless(e.Order == event.OrderNone || e.Order == event.OrderSubscriber, "order", "%q is neither %s nor %s", e.Order, event.OrderNone, event.OrderSubscriber)
	e.Retry.validate(&f)
	e.Breaker.validate(&f)
	for i, secret := range e.Sign.Secrets {
		f.Err(fmt.Sprintf("sign.secrets[%d]", i), checkSecret(secret))
	}
	if _, err := e.TLS.config(); err != nil {
		f = append(f, err)
	}
	return errors.Join(f...)
}

// checkURL refuses a URL that nothing can be sent to: a malformed one, or the literal address of a machine that the endpoint
// may not reach. A name that leads to such an address may lead elsewhere later.
func (e *Endpoint) checkURL() error {
	clean, err := cleanURL(e.URL)
	if err != nil || e.adHoc || e.AllowPrivate {
		return err
	}
	u, err := url.Parse(clean)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil // a name
	}
	return checkAddress(netip.AddrPortFrom(addr, 0).String(), e.privateKey())
}

func (s *Subscription) validate(f *setting.Faults) {
	for i, kind := range s.Kinds {
		f.Unless(slices.Contains(event.Kinds, kind), fmt.Sprintf("subscribe.kinds[%d]", i), "%q is none of %v", kind, event.Kinds)
	}
}

func (b *BreakerOptions) validate(f *setting.Faults) {
	f.Unless(b.Failures >= 0, "breaker.failures", "must be a number of failed attempts, or 0 for never")
	f.Unless(b.Failures == 0 || b.ProbeAfter > 0, "breaker.probe_after", "must be more than 0")
	f.Unless(b.Failures == 0 || b.ProbeMax >= b.ProbeAfter, "breaker.probe_max", "must not be less than probe_after")
}
