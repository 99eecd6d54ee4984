package console

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

// pageSize is the number of events on a page of the list.
const pageSize = 50

type eventsPage struct {
	filters
	Tabs       []preset
	Recent     *recent // rejected requests; nil if there are none
	Instead    bool    // in place of the people behind a figure of analytics, who are too many
	Views      []savedView
	Chips      []chip
	Presets    []preset
	Form       filterForm
	Columns    []column // the visible ones
	AllColumns []column
	Rows       []row
	Next       string   // the address of older events
	Further    *further // nil when the search is complete
	Newest     string   // the address of the first page; empty on it
	Tail       string   // where to ask for new events; empty if there can be none
	After      string   // the time to ask from
	Chart      *chart   // nil when the page loads it later
	Empty      *empty
}

// recent is how many requests were rejected in the last hour.
type recent struct {
	Count uint64
	URL   string
}

// ChartURL returns the address from which the page loads the chart.
func (p eventsPage) ChartURL() string { return link("/events/chart", p.Values) }

// Slow reports whether counting the events is a full scan, which the user must ask for.
func (p eventsPage) Slow() bool { return p.Selection.FullScan() }

// All returns the links for all matching events.
func (p eventsPage) All() allLinks {
	return allLinks{link("/replays", p.Values), link("/events.csv", p.Values), link("/events.ndjson", p.Values)}
}

type allLinks struct{ Replay, CSV, NDJSON string }

// WithChart returns the address of the same page with the chart.
func (p eventsPage) WithChart() string { return "/?" + p.with("chart", "1") }

// Shows reports whether a column is visible.
func (p eventsPage) Shows(name string) bool {
	return slices.ContainsFunc(p.Columns, func(c column) bool { return c.Name == name })
}

// row is an event in a list.
type row struct {
	api.Event
	At        moment
	Columns   []column
	States    []api.DeliverySummary
	MayAccept bool
}

// Key sorts rows like the list.
func (r row) Key() string { return r.ReceivedAt.UTC().Format("20060102150405.000000") + r.ID.String() }

// Duplicate reports whether BotHelp had sent it before.
func (r row) Duplicate() bool { return r.DuplicateOf != uuid.Nil }

// Place returns the source and the step.
func (r row) Place() string {
	if r.Step == "" {
		return r.Source
	}
	return r.Source + "/" + r.Step
}

// Parsed returns the parsed fields of the body. Those of a rejected request are for display only.
func (r row) Parsed() map[string]string {
	if r.Rejection != nil {
		return r.Rejection.Parsed
	}
	return r.Decoded
}

// Person returns the best name of the subscriber.
func (r row) Person() string { return api.PersonIn(r.Parsed()) }

// Subscriber returns the id of the subscriber; "" for a rejected request, because the id may be anybody's.
func (r row) Subscriber() string {
	return cmp.Or(r.Decoded["bothelp_user_id"], r.Decoded["messenger_user_id"])
}

// Contact returns the subscriber's phone number or email address.
func (r row) Contact() string { return api.ContactIn(r.Parsed()) }

func showEvents(v *visit) error {
	tidied, err := v.tidied()
	if err != nil {
		return err
	}
	if tidied != nil {
		return v.redirect(pageFor(tidied))
	}
	f, err := v.filters("cursor", "chart", "instead")
	if err != nil {
		return err
	}
	p, err := v.eventsPage(f)
	if err != nil {
		return err
	}
	p.Instead = v.URL.Query().Has("instead")
	return v.show("events", "Events", p)
}

// pageFor returns the page of a tidied query: that of an event for its id alone, else the list.
func pageFor(tidied url.Values) string {
	if ids := tidied["id"]; len(ids) == 1 && len(tidied) == 1 {
		return "/events/" + url.PathEscape(ids[0])
	}
	return link("/", tidied)
}

func (v *visit) eventsPage(f filters) (p eventsPage, err error) {
	after, err := v.direct.Now(v.Context()) // before reading the list: new events must not be missed
	if err != nil {
		return p, err
	}
	cursor := v.URL.Query().Get("cursor")
	found, reached, err := v.direct.Search(v.Context(), f.Selection, pageSize, cursor, firstStep)
	if err != nil {
		return p, err
	}
	p = eventsPage{filters: f, Tabs: tabsOf(f), Chips: v.chips(f, "/"), Form: v.filterForm(f),
		Columns: v.columns(f), AllColumns: columns}
	p.Presets = presetsOf("/", f.Values, chosenTime(f.Values), "15m", "1h", "24h", "7d", "30d", "")
	if p.Recent, err = v.recent(); err != nil {
		return p, err
	}
	if p.Views, err = v.savedViews(f); err != nil {
		return p, err
	}
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
		p.Tail = link("/events/newer", f.Values)
		p.After = after.UTC().Format(time.RFC3339Nano)
	}
	if len(p.Rows) == 0 && p.Further == nil {
		if p.Empty, err = v.empty(f); err != nil {
			return p, err
		}
	}
	if v.URL.Query().Has("chart") {
		p.Chart, err = v.chart(f)
	}
	return p, err
}

// rows returns the rows of events, with the states of their deliveries if that column is visible.
func (v *visit) rows(events []api.Event, visible []column) ([]row, error) {
	list := make([]row, len(events))
	for i, e := range events {
		list[i] = row{Event: e, At: v.at(e.ReceivedAt), Columns: visible, MayAccept: v.user.Role.Covers(api.RoleAdmin)}
	}
	if !slices.ContainsFunc(visible, func(c column) bool { return c.Name == "deliveries" }) {
		return list, nil
	}
	states, err := v.direct.DeliverySummaries(v.Context(), events)
	for i := range list {
		list[i].States = worstFirst(states[list[i].ID])
	}
	return list, err
}

// severity orders the tones of labels. A list cuts a long cell off, and shows what needs attention before that.
var severity = []string{"bad", "doubt", "neutral", "quiet", "good"}

// worstFirst sorts deliveries by severity, and keeps the order of equal ones.
func worstFirst(deliveries []api.DeliverySummary) []api.DeliverySummary {
	return slices.SortedStableFunc(slices.Values(deliveries), func(a, b api.DeliverySummary) int {
		return cmp.Compare(slices.Index(severity, labelOf("delivery", a.State).Tone),
			slices.Index(severity, labelOf("delivery", b.State).Tone))
	})
}

// recent counts the requests that were rejected in the last hour.
func (v *visit) recent() (*recent, error) {
	lastHour := v.now.Add(-time.Hour)
	n, err := v.direct.Count(v.Context(), event.Selection{Rejected: true, From: &lastHour}, 0)
	if err != nil || n == 0 {
		return nil, err
	}
	return &recent{n, link("/", url.Values{"rejected": {"true"}, "since": {"1h"}})}, nil
}

// empty says what to do when the list is empty.
type empty struct {
	First  bool // no event was ever received
	Source *Source
	Wider  wider
}

func (v *visit) empty(f filters) (*empty, error) {
	first, err := v.direct.FirstEvent(v.Context())
	e := &empty{First: first.IsZero(), Wider: v.wider(f)}
	if sources := v.Sources(); len(sources) > 0 {
		e.Source = &sources[0]
	}
	return e, err
}
