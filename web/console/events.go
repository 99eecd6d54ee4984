package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"hooktape/web/api"
)

func (c *console) eventsRoutes(mux *http.ServeMux) {
	mux.Handle("GET /{$}", c.page(showEvents))
	mux.Handle("GET /events/newer", c.page(showNewer))
	mux.Handle("GET /events/further", c.page(showFurther))
	mux.Handle("GET /events/chart", c.page(showChart))
	mux.Handle("GET /events.csv", c.page(downloadCSV))
	mux.Handle("GET /events.ndjson", c.page(downloadNDJSON))
	mux.Handle("POST /columns", c.page(keepColumns))
}

// pageSize is how many events a page of the list has.
const pageSize = 50

type eventsPage struct {
	filters
	Chips   []chip
	Presets []preset
	Form    filterForm
	Columns []column // those shown
	Choice  []column // all that there are
	Rows    []row
	Next    string   // the page of older ones
	Further *further // nil when the search is over
	Newest  string   // the first page; empty on it
	Tail    string   // where to ask for what is newer; empty where there can be nothing
	After   string   // since when
	Chart   *chart   // nil when it is asked for later
	Empty   *empty
}

// ChartURL is where the chart comes from after the list.
func (p eventsPage) ChartURL() string { return link("/events/chart", p.Values) }

// Slow tells whether counting the events takes a look at all of them, which is done when it is asked for.
func (p eventsPage) Slow() bool { return p.Selection.FullScan() }

// All are the links for all events that match: to a replay of them, and to downloads.
func (p eventsPage) All() allLinks {
	return allLinks{link("/replays", p.Values), link("/events.csv", p.Values), link("/events.ndjson", p.Values)}
}

type allLinks struct{ Replay, CSV, NDJSON string }

// WithChart is the same page with the chart in it.
func (p eventsPage) WithChart() string { return "/?" + p.with("chart", "1") }

// row is an event in a list.
type row struct {
	api.Event
	At      moment
	Columns []column
	Fates   []api.Fate
}

// Key orders rows as the list does.
func (r row) Key() string { return r.ReceivedAt.UTC().Format("20060102150405.000000") + r.ID.String() }

// Place is the source and the step.
func (r row) Place() string {
	if r.Step == "" {
		return r.Source
	}
	return r.Source + "/" + r.Step
}

// Person is whom the event is about, by the best name that it has.
func (r row) Person() string {
	full := strings.TrimSpace(r.Decoded["first_name"] + " " + r.Decoded["last_name"])
	return cmp.Or(r.Decoded["name"], full, r.Decoded["messenger_username"], r.Subscriber())
}

// Subscriber is the id under which the person is known.
func (r row) Subscriber() string {
	return cmp.Or(r.Decoded["bothelp_user_id"], r.Decoded["messenger_user_id"])
}

// Contact is how the person can be reached.
func (r row) Contact() string { return cmp.Or(r.Decoded["phone"], r.Decoded["email"]) }

func showEvents(v *visit) error {
	tidied, err := v.tidy()
	if err != nil {
		return err
	}
	if tidied != nil {
		return v.see(meantBy(tidied))
	}
	f, err := v.filters("cursor", "chart")
	if err != nil {
		return err
	}
	p, err := v.eventsPage(f)
	if err != nil {
		return err
	}
	return v.show("events", "Events", p)
}

// meantBy is the page that a tidied query leads to: an event's own for its id alone.
func meantBy(tidied url.Values) string {
	if ids := tidied["id"]; len(ids) == 1 && len(tidied) == 1 {
		return "/events/" + url.PathEscape(ids[0])
	}
	return link("/", tidied)
}

func (v *visit) eventsPage(f filters) (p eventsPage, err error) {
	// The tail begins where the list was read, not where it was shown.
	after, err := v.direct.Now(v.Context())
	if err != nil {
		return p, err
	}
	cursor := v.URL.Query().Get("cursor")
	found, reached, err := v.direct.Search(v.Context(), f.Selection, pageSize, cursor, listPatience)
	if err != nil {
		return p, err
	}
	p = eventsPage{filters: f, Chips: v.chips(f, "/"), Presets: presetsOf(f), Form: v.filterForm(f), Columns: v.columns(), Choice: columns}
	if p.Rows, err = v.rows(found.Events, p.Columns); err != nil {
		return p, err
	}
	switch {
	case reached != nil:
		p.Further = v.further(f, found.Next, *reached, len(p.Rows), len(p.Columns)+1)
	case found.Next != "":
		p.Next = "/?" + f.with("cursor", found.Next)
	}
	switch {
	case cursor != "":
		p.Newest = f.URL()
	case f.Until == nil:
		p.Tail, p.After = link("/events/newer", f.Values), after.UTC().Format(time.RFC3339Nano)
	}
	if len(p.Rows) == 0 && p.Further == nil {
		if p.Empty, err = v.empty(); err != nil {
			return p, err
		}
	}
	if v.URL.Query().Has("chart") {
		p.Chart, err = v.chart(f)
	}
	return p, err
}

// rows puts the fates of events beside them.
func (v *visit) rows(events []api.Event, shown []column) ([]row, error) {
	list := make([]row, len(events))
	for i, e := range events {
		list[i] = row{Event: e, At: v.at(e.ReceivedAt), Columns: shown}
	}
	if !slices.ContainsFunc(shown, func(c column) bool { return c.Name == "deliveries" }) {
		return list, nil
	}
	fates, err := v.direct.Fates(v.Context(), events)
	for i := range list {
		list[i].Fates = fates[list[i].ID]
	}
	return list, err
}

// empty is what to do when there is nothing to be seen.
type empty struct {
	First  bool // nothing has ever come
	Source *Source
}

func (v *visit) empty() (*empty, error) {
	first, err := v.direct.FirstEvent(v.Context())
	e := &empty{First: first.IsZero()}
	if sources := v.Sources(); len(sources) > 0 {
		e.Source = &sources[0]
	}
	return e, err
}
