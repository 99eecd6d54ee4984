package replay

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"golang.org/x/net/http/httpguts"

	"hooktape/internal/event"
)

// Headers of ours on what is sent.
const (
	headerEventID        = "X-Hooktape-Event-Id"
	headerReplayID       = "X-Hooktape-Replay-Id"
	headerAttempt        = "X-Hooktape-Attempt"
	headerReceivedAt     = "X-Hooktape-Received-At"
	headerIdempotencyKey = "Idempotency-Key"
)

// transport are the headers of one hop (RFC 9110, section 7.6.1) and those that net/http writes itself.
var transport = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
	"Host": true, "Content-Length": true,
}

// traceHeaders are the headers of a trace, which is each attempt's own.
var traceHeaders = map[string]bool{"Traceparent": true, "Tracestate": true, "Baggage": true}

// secretHeadersOfSender are headers of the original that may hold a secret between its sender and us.
var secretHeadersOfSender = map[string]bool{"Authorization": true, "Cookie": true}

// ours tells whether a header is one that we write.
func ours(name string) bool {
	return strings.HasPrefix(name, "X-Hooktape-") || name == headerIdempotencyKey || traceHeaders[name] || signatureHeaders[name]
}

// CheckHeader says why a header cannot be one of an endpoint's or a replay's own. It never shows the value.
func CheckHeader(h event.Header) error {
	name := http.CanonicalHeaderKey(h.Name)
	switch {
	case !httpguts.ValidHeaderFieldName(h.Name):
		return fmt.Errorf("%q is no name of a header", h.Name)
	case !httpguts.ValidHeaderFieldValue(h.Value):
		return fmt.Errorf("the value of %s has characters that no header may have", h.Name)
	case transport[name]:
		return fmt.Errorf("%s is written by the HTTP client itself", h.Name)
	case ours(name):
		return fmt.Errorf("%s is written by hooktape itself", h.Name)
	}
	return nil
}

// newRequest makes the request of an attempt: the original's method, body bytes and headers but those of its way to us,
// the endpoint's headers, extra ones of the replay, the headers of ours with the signature as of now, and the traceparent
// of ctx. What comes later in this list takes the place of what came before under the same name.
func newRequest(ctx context.Context, ep *Endpoint, extra []event.Header, e *event.Event, d *event.Delivery, now time.Time) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, e.Method, ep.URL, bytes.NewReader(e.Body))
	if err != nil {
		return nil, err
	}
	for _, h := range ep.sentOn(e.Headers) {
		name := http.CanonicalHeaderKey(h.Name)
		r.Header[name] = append(r.Header[name], h.Value)
	}
	replace(r.Header, ep.Headers)
	replace(r.Header, extra)
	if len(r.Header["User-Agent"]) == 0 {
		r.Header["User-Agent"] = nil // else net/http would write its own
	}
	r.Header.Set(headerEventID, e.ID.String())
	if d.ReplayID != uuid.Nil {
		r.Header.Set(headerReplayID, d.ReplayID.String())
	}
	r.Header.Set(headerAttempt, strconv.FormatUint(uint64(d.Attempts), 10))
	r.Header.Set(headerReceivedAt, e.ReceivedAt.Format(time.RFC3339Nano))
	r.Header.Set(headerIdempotencyKey, d.IdempotencyKey())
	if err := ep.Sign.sign(r.Header, d.IdempotencyKey(), now, e.Body); err != nil {
		return nil, err
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
	return r, nil
}

// SentOn returns those of an event's headers that a receiver gets unless its endpoint says otherwise: not the headers of the
// connection on which the event came, of the proxies on its way, of its trace, and those that may hold a secret of its sender.
func SentOn(headers []event.Header) []event.Header { return (&Endpoint{}).sentOn(headers) }

// sentOn is SentOn with the endpoint's DropHeaders and KeepHeaders.
func (e *Endpoint) sentOn(headers []event.Header) (sent []event.Header) {
	hop, drop, keep := connectionOptions(headers), headerSet(e.DropHeaders), headerSet(e.KeepHeaders)
	for _, h := range headers {
		switch name := http.CanonicalHeaderKey(h.Name); {
		case transport[name], traceHeaders[name], hop[name], drop[name], strings.HasPrefix(name, "X-Hooktape-"):
		case (secretHeadersOfSender[name] || addedByProxy(name)) && !keep[name]:
		default:
			sent = append(sent, h)
		}
	}
	return sent
}

// replace sets headers; a name that stands twice among them is sent twice.
func replace(header http.Header, by []event.Header) {
	for _, h := range by {
		header.Del(h.Name)
	}
	for _, h := range by {
		header.Add(h.Name, h.Value)
	}
}

// connectionOptions are the headers that the original's Connection header names: they, too, were for one hop.
func connectionOptions(headers []event.Header) map[string]bool {
	options := map[string]bool{}
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Connection") {
			for option := range strings.SplitSeq(h.Value, ",") {
				options[http.CanonicalHeaderKey(strings.TrimSpace(option))] = true
			}
		}
	}
	return options
}
