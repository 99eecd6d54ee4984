package replay

import (
	"net/http"
	"slices"
	"strings"

	"hooktape/internal/event"
	"hooktape/internal/redact"
)

// secretHeaders are those whose values may be a secret: what an endpoint's configuration or a replay sets, and a signature.
func secretHeaders(set ...[]event.Header) map[string]bool {
	secret := map[string]bool{"Webhook-Signature": true}
	for _, h := range slices.Concat(set...) {
		secret[http.CanonicalHeaderKey(h.Name)] = true
	}
	return secret
}

// sentHeaders are the headers of a request as an attempt keeps them, sorted by name, the secret ones masked.
func sentHeaders(r *http.Request, secret map[string]bool) []event.Header {
	sent := make([]event.Header, 0, len(r.Header))
	for name, values := range r.Header {
		for _, value := range values {
			if secret[name] {
				value = redact.Mask
			}
			sent = append(sent, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(sent, func(x, y event.Header) int { return strings.Compare(x.Name, y.Name) })
	return sent
}
