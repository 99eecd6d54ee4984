package console

import (
	"net/http"
	"strconv"
	"time"
)

const (
	// tailOverlap is how long an insert may take. All events of one have the time of storing at which it began, and are
	// seen when it has ended: so each look goes back a little, and the page leaves out what it has already.
	tailOverlap = 10 * time.Second
	maxNewer    = 100
)

// showNewer answers with the rows of events that were stored since the page was made, or last asked. The time to ask from
// next comes in a header.
func showNewer(v *visit) error {
	f, err := v.filters("after")
	if err != nil {
		return err
	}
	after, err := time.Parse(time.RFC3339Nano, v.URL.Query().Get("after"))
	if err != nil {
		return problem(http.StatusUnprocessableEntity, "after is no time such as 2026-01-31T13:00:00Z")
	}
	now, err := v.direct.Now(v.Context())
	if err != nil {
		return err
	}
	events, err := v.direct.EventsStored(v.Context(), f.Selection, after.Add(-tailOverlap), maxNewer)
	if err != nil {
		return err
	}
	v.w.Header().Set("X-Hooktape-After", now.UTC().Format(time.RFC3339Nano))
	v.w.Header().Set("X-Hooktape-Most", strconv.Itoa(maxNewer)) // of as many new ones there may be more, which the page will not get to see
	if len(events) == 0 {
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	rows, err := v.rows(events, v.columns())
	if err != nil {
		return err
	}
	return v.part("events", "rows", rows)
}
