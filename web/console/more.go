package console

import (
	"net/http"
	"strconv"
	"time"

	"hooktape/web/api"
)

// A full scan goes back in steps: the page comes with what the first step found, and loads the next ones until it is
// full or the scan complete. Tests shorten the steps.
var (
	firstStep = 200 * time.Millisecond
	nextStep  = 2 * time.Second
)

// further is the state of a search in steps.
type further struct {
	Back    moment // how far back it has searched
	Found   int    // so far
	Next    string // the address of the next step
	Page    string // the same as a page, for browsers without JavaScript
	Columns int
	Over    bool
	Older   string // the address of older events, if the page is full
	Wider   wider
}

func (v *visit) further(f filters, cursor string, reached time.Time, found, columns int) *further {
	return &further{Back: v.at(reached), Found: found, Columns: columns, Page: "/?" + f.with("cursor", cursor),
		Next: "/events/further?" + f.with("cursor", cursor, "found", strconv.Itoa(found))}
}

type furtherRows struct {
	Rows    []row
	Further *further
}

// showFurther answers with the rows of the next step.
func showFurther(v *visit) error {
	f, err := v.filters("cursor", "found")
	if err != nil {
		return err
	}
	query := v.URL.Query()
	already, err := strconv.Atoi(query.Get("found"))
	if err != nil || already < 0 || already >= pageSize {
		return api.Invalidf("invalid found: want a number below %d", pageSize)
	}
	found, reached, err := v.direct.Search(v.Context(), f.Selection, pageSize-already, query.Get("cursor"), nextStep)
	if err != nil {
		return err
	}
	columns := v.columns(f)
	rows, err := v.rows(found.Events, columns)
	if err != nil {
		return err
	}
	next := &further{Over: true, Found: already + len(rows), Columns: len(columns) + 1, Wider: v.wider(f)}
	switch {
	case reached != nil:
		next = v.further(f, found.Next, *reached, already+len(rows), len(columns)+1)
	case found.Next != "":
		next.Older = "/?" + f.with("cursor", found.Next)
	}
	return v.part("events", "more", furtherRows{rows, next})
}

const (
	// insertTime is the longest time that an insert takes. Its events have the time at which it began as the time of
	// storing, and become visible when it ends. So each request for new events goes back a little, and the page drops
	// the rows that it already has.
	insertTime = 10 * time.Second
	maxNewer   = 100
)

// showNewer answers with the rows of events stored after a time. A header has the time to ask from next.
func showNewer(v *visit) error {
	f, err := v.filters("after")
	if err != nil {
		return err
	}
	after, err := time.Parse(time.RFC3339Nano, v.URL.Query().Get("after"))
	if err != nil {
		return api.Invalidf("invalid after: want a time such as 2026-01-31T13:00:00Z")
	}
	now, err := v.direct.Now(v.Context())
	if err != nil {
		return err
	}
	events, err := v.direct.EventsStored(v.Context(), f.Selection, after.Add(-insertTime), maxNewer)
	if err != nil {
		return err
	}
	v.w.Header().Set("X-Hooktape-After", now.UTC().Format(time.RFC3339Nano))
	// with this many new events there may be more, which the page does not get
	v.w.Header().Set("X-Hooktape-Most", strconv.Itoa(maxNewer))
	if len(events) == 0 {
		v.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	rows, err := v.rows(events, v.columns(f))
	if err != nil {
		return err
	}
	return v.part("events", "rows", rows)
}
