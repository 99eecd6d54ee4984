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

	"hooktape/event"
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

// dropped are the other headers of the original that are not sent on: the proxies' notes on the way to us, and what
// could be a secret of the way to us rather than of BotHelp's message.
var dropped = map[string]bool{
	"Forwarded": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true,
	"X-Forwarded-Port": true, "X-Forwarded-Server": true, "X-Forwarded-Uri": true, "X-Original-Uri": true,
	"X-Original-Url": true, "X-Real-Ip": true, "Via": true,
	"Authorization": true, "Cookie": true,
}

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
	for _, h := range SentOn(e.Headers) {
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

// SentOn are those of an event's headers that go on to a receiver: not the ones of the connection on which it came, of
// the proxies on its way, of its trace, and those that may be a secret of that way (Authorization, Cookie).
func SentOn(headers []event.Header) (sent []event.Header) {
	hop := connectionOptions(headers)
	for _, h := range headers {
		name := http.CanonicalHeaderKey(h.Name)
		if !transport[name] && !traceHeaders[name] && !dropped[name] && !hop[name] && !strings.HasPrefix(name, "X-Hooktape-") {
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
