package replay

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"hooktape/event"
)

// maskedValue stands for what is a secret of a receiver.
const maskedValue = "***"

// SentHeaders are the headers with which an attempt sends an event, sorted by name, as the configuration makes them now:
// those of the past are not kept. extra are the replay's own. What the endpoint's configuration or a replay sets is masked,
// and so is a signature. It is nil for an endpoint that the configuration does not have any more.
func (s *Service) SentHeaders(e *event.Event, d event.Delivery, number uint32, extra []event.Header) []event.Header {
	ep, err := s.resolve(d.Endpoint)
	if err != nil {
		return nil
	}
	d.Attempts = number
	r, err := newRequest(context.Background(), &ep, extra, e, &d, e.ReceivedAt)
	if err != nil {
		return nil
	}
	secret := map[string]bool{}
	for _, h := range slices.Concat(ep.Headers, extra) {
		secret[http.CanonicalHeaderKey(h.Name)] = true
	}
	var sent []event.Header
	for name, values := range r.Header {
		for _, value := range values {
			if secret[name] || signatureHeaders[name] {
				value = maskedValue
			}
			sent = append(sent, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(sent, func(x, y event.Header) int { return strings.Compare(x.Name, y.Name) })
	return sent
}
