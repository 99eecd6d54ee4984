package replay

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

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

// dropped are the headers of the original that are not sent on: those of one hop (RFC 9110, section 7.6.1), those that
// the transport writes itself, the proxies' notes on the way to us, the old trace, and what could be a secret of the way
// to us rather than of BotHelp's message.
var dropped = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Expect": true,
	"Host": true, "Content-Length": true,
	"Forwarded": true, "X-Forwarded-For": true, "X-Forwarded-Host": true, "X-Forwarded-Proto": true,
	"X-Forwarded-Port": true, "X-Forwarded-Server": true, "X-Forwarded-Uri": true, "X-Original-Uri": true,
	"X-Original-Url": true, "X-Real-Ip": true, "Via": true,
	"Traceparent": true, "Tracestate": true, "Baggage": true,
	"Authorization": true, "Cookie": true,
}

// newRequest makes the request of an attempt: the original's method, body bytes and headers but the dropped ones, the
// headers of ours, and the traceparent of ctx.
func newRequest(ctx context.Context, url string, e *event.Event, d *event.Delivery) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, e.Method, url, bytes.NewReader(e.Body))
	if err != nil {
		return nil, err
	}
	hop := connectionOptions(e.Headers)
	for _, h := range e.Headers {
		name := http.CanonicalHeaderKey(h.Name)
		if !dropped[name] && !hop[name] && !strings.HasPrefix(name, "X-Hooktape-") {
			r.Header[name] = append(r.Header[name], h.Value)
		}
	}
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
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
	return r, nil
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
