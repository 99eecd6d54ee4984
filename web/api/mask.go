package api

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/redact"
	"hooktape/replay"
)

// MaskedURL shows the URL of a replay that goes to no configured endpoint: receivers take secrets in queries. A name
// stays what it is.
func MaskedURL(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		return endpoint
	}
	if clean, err := outbound.CleanURL(endpoint); err == nil {
		endpoint = clean
	}
	return outbound.MaskQuery(endpoint)
}

// masked is a replay as it may be shown: without what the receiver's owner may have told its maker alone.
func masked(r event.Replay) event.Replay {
	r.Endpoint, r.URL = replay.TargetName(r.Endpoint), MaskedURL(r.URL)
	r.Selection = named(r.Selection)
	r.Headers = slices.Clone(r.Headers)
	for i := range r.Headers {
		r.Headers[i].Value = redact.Mask
	}
	return r
}

// named has the endpoints of a selection by the names that stand in deliveries.
func named(sel event.Selection) event.Selection {
	return sel.WithEndpoints(replay.TargetName)
}

// allowed refuses a selection with faults, and an expression of those who may not write one.
func (d *Direct) allowed(sel event.Selection) error {
	if sel.Where != "" && d.need(RoleAdmin) != nil {
		return problem(http.StatusForbidden, "where needs the role %s; the token %q has the role %s", RoleAdmin, d.who.Name, d.who.Role)
	}
	return CheckSelection(sel.Faults())
}

// selected is a selection as the database knows it, when it is allowed and names known endpoints only.
func (d *Direct) selected(ctx context.Context, sel event.Selection) (event.Selection, error) {
	if err := d.allowed(sel); err != nil {
		return sel, err
	}
	sel = named(sel)
	return sel, d.service.CheckEndpoints(ctx, sel.Endpoints()...)
}

// maskedDetail shows the request of which a replay was made in the same way; other details have no secret.
func maskedDetail(detail string) string {
	var made replay.Request
	if json.Unmarshal([]byte(detail), &made) != nil || made.To == "" {
		return detail
	}
	shown := masked(event.Replay{Endpoint: made.To, Selection: made.Selection, ReplayOptions: made.ReplayOptions})
	text, err := json.Marshal(replay.Request{Selection: shortened(shown.Selection), To: shown.Endpoint, ReplayOptions: shown.ReplayOptions})
	if err != nil {
		return ""
	}
	return string(text)
}

// shortened leaves out most of many ids: a stream would send them each second.
func shortened(sel event.Selection) event.Selection {
	const most = 100
	sel.IDs = sel.IDs[:min(len(sel.IDs), most)]
	return sel
}
