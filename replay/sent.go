package replay

import (
	"net/http"
	"slices"
	"strings"

	"hooktape/event"
)

// maskedValue stands for what is a secret of a receiver.
const maskedValue = "***"

// sentHeaders are the headers of a request as an attempt keeps them, sorted by name. What the endpoint's configuration or a
// replay has set is masked, and so is a signature.
func sentHeaders(r *http.Request, set ...event.Header) (sent []event.Header) {
	secret := map[string]bool{"Webhook-Signature": true}
	for _, h := range set {
		secret[http.CanonicalHeaderKey(h.Name)] = true
	}
	for name, values := range r.Header {
		for _, value := range values {
			if secret[name] {
				value = maskedValue
			}
			sent = append(sent, event.Header{Name: name, Value: value})
		}
	}
	slices.SortStableFunc(sent, func(x, y event.Header) int { return strings.Compare(x.Name, y.Name) })
	return sent
}
