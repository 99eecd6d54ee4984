package outbound

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"hooktape/internal/event"
	"hooktape/internal/redact"
)

// NewRequest returns the request of delivery d's next attempt, signed as of now. It has the event's method and body
// bytes and, in this order, each replacing headers of the same name before it: the event's forwarded headers (see
// [ForwardedHeaders]), the endpoint's headers, the extra headers, hooktape's own headers and the traceparent of ctx.
func (e *Endpoint) NewRequest(
	ctx context.Context, extra []event.Header, ev *event.Event, d *event.Delivery, now time.Time,
) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, ev.Method, e.URL, bytes.NewReader(ev.Body))
	if err != nil {
		return nil, err
	}
	for _, h := range ForwardedHeaders(ev.Headers, e.DropHeaders, e.KeepHeaders) {
		name := http.CanonicalHeaderKey(h.Name)
		r.Header[name] = append(r.Header[name], h.Value)
	}
	replace(r.Header, e.Headers)
	replace(r.Header, extra)
	if len(r.Header["User-Agent"]) == 0 {
		r.Header["User-Agent"] = nil // otherwise net/http writes its own
	}
	r.Header.Set(headerEventID, ev.ID.String())
	if d.ReplayID != uuid.Nil {
		r.Header.Set(headerReplayID, d.ReplayID.String())
	}
	r.Header.Set(headerAttempt, strconv.FormatUint(uint64(d.Attempts), 10))
	r.Header.Set(headerReceivedAt, ev.ReceivedAt.Format(time.RFC3339Nano))
	key := d.IdempotencyKey()
	r.Header.Set(headerIdempotencyKey, key)
	if err := e.Sign.sign(r.Header, key, now, ev.Body); err != nil {
		return nil, err
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
	return r, nil
}

// replace sets headers. A name that occurs twice in by is sent twice.
func replace(header http.Header, by []event.Header) {
	for _, h := range by {
		header.Del(h.Name)
	}
	for _, h := range by {
		header.Add(h.Name, h.Value)
	}
}

// sign adds the headers of Standard Webhooks. The id is the same for all attempts, the time is the attempt's own, and
// each secret signs id, time and body.
func (o SigningOptions) sign(header http.Header, id string, now time.Time, body []byte) error {
	var signatures []string
	for _, secret := range o.Secrets {
		w, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return err
		}
		signature, err := w.Sign(id, now, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	if len(signatures) > 0 {
		header.Set(standardwebhooks.HeaderWebhookID, id)
		header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
		header.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	}
	return nil
}

// StoredHeaders returns a request's headers as an attempt keeps them: sorted by name, with the values masked that may
// be secrets. These are the signature and the headers that the endpoint's configuration or extra sets.
func (e *Endpoint) StoredHeaders(r *http.Request, extra []event.Header) []event.Header {
	secret := map[string]bool{"Webhook-Signature": true}
	for _, h := range slices.Concat(e.Headers, extra) {
		secret[http.CanonicalHeaderKey(h.Name)] = true
	}
	stored := sortedHeaders(r.Header)
	for i := range stored {
		if secret[stored[i].Name] {
			stored[i].Value = redact.Mask
		}
	}
	return stored
}
