package console

import (
	"net/http"
	"strconv"
	"time"
)

// A search that no index helps with goes back in steps: the page comes with what the first has found, and asks for the next
// one until a page is full or all was looked at.
var (
	listPatience    = 200 * time.Millisecond
	furtherPatience = 2 * time.Second
)

// further is how a search goes on.
type further struct {
	Back    moment // how far back it has looked
	Found   int    // so far
	Next    string // where the next step comes from
	Page    string // the same as a page, for browsers without a script
	Columns int
	Over    bool
	Older   string // the page of older ones, of a search that has filled one
}

func (v *visit) further(f filters, cursor string, reached time.Time, found, columns int) *further {
	return &further{Back: v.at(reached), Found: found, Columns: columns, Page: "/?" + f.with("cursor", cursor),
		Next: "/events/further?" + f.with("cursor", cursor, "found", strconv.Itoa(found))}
}

type furtherRows struct {
	Rows    []row
	Further *further
}

// showFurther answers with the rows of the next step, and with the one after it.
func showFurther(v *visit) error {
	f, err := v.filters("cursor", "found")
	if err != nil {
		return err
	}
	query := v.URL.Query()
	already, err := strconv.Atoi(query.Get("found"))
	if err != nil || already < 0 || already >= pageSize {
		return problem(http.StatusUnprocessableEntity, "found is no number of events that a page has room behind")
	}
	found, reached, err := v.direct.Search(v.Context(), f.Selection, pageSize-already, query.Get("cursor"), furtherPatience)
	if err != nil {
		return err
	}
	columns := v.columns()
	rows, err := v.rows(found.Events, columns)
	if err != nil {
		return err
	}
	next := &further{Over: true, Found: already + len(rows), Columns: len(columns) + 1}
	switch {
	case reached != nil:
		next = v.further(f, found.Next, *reached, already+len(rows), len(columns)+1)
	case found.Next != "":
		next.Older = "/?" + f.with("cursor", found.Next)
	}
	return v.part("events", "more", furtherRows{rows, next})
}
