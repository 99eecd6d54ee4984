package api

import (
	"encoding/json"
	"slices"
	"strings"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/replay"
)

// MaskedURL returns the URL of a replay's target with the values of its query masked, because receivers accept secrets
// there. It returns the name of an endpoint unchanged.
func MaskedURL(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		return endpoint
	}
	if clean, err := outbound.CleanURL(endpoint); err == nil {
		endpoint = clean
	}
	return outbound.MaskQuery(endpoint)
}

// masked returns a replay without the secrets of its receiver.
func masked(r event.Replay) event.Replay {
	r.Endpoint, r.URL = replay.TargetName(r.Endpoint), MaskedURL(r.URL)
	r.Selection = withNames(r.Selection)
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		r.Headers[i].Value = redact.Mask
	}
	return r
}

// maskedDetail masks the request in the detail of an audit entry about a replay's creation. Other details have no
// secrets.
func maskedDetail(detail string) string {
	var made replay.Request
	if json.Unmarshal([]byte(detail), &made) != nil || made.To == "" {
		return detail
	}
	shown := shortened(masked(event.Replay{Endpoint: made.To, Selection: made.Selection,
		ReplayOptions: made.ReplayOptions}))
	text, err := json.Marshal(replay.Request{Selection: shown.Selection, To: shown.Endpoint, Again: made.Again,
		ReplayOptions: shown.ReplayOptions})
	if err != nil {
		return ""
	}
	return string(text)
}
