package api

import (
	"slices"
	"strings"

	"hooktape/event"
	"hooktape/replay"
)

// maskedURL shows the URL of a replay that goes to no configured endpoint: receivers take secrets in queries. A name
// stays what it is.
func maskedURL(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		return endpoint
	}
	return replay.AdHoc(endpoint, false).StoredURL()
}

// masked is a replay as it may be shown: without what the receiver's owner may have told its maker alone.
func masked(r event.Replay) event.Replay {
	r.Endpoint, r.URL = maskedURL(r.Endpoint), maskedURL(r.URL)
	r.Selection.UndeliveredTo, r.Selection.FailedAt = maskedURL(r.Selection.UndeliveredTo), maskedURL(r.Selection.FailedAt)
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		r.Headers[i].Value = "***"
	}
	return r
}
