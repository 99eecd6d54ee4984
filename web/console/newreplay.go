package console

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"time"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// newReplay is the form of a new replay, and its plan.
type newReplay struct {
	filters
	Chips     []chip
	Endpoints []string
	Named     bool   // To is one of Endpoints
	To        string // an endpoint's name, or a URL
	Options   event.ReplayOptions
	Plan      *plan
	Fault     string // why there is no plan
	Create    string // the address that creates the planned replay
	Key       string // its Idempotency-Key: sending the form twice creates one replay
}

type plan struct {
	api.Plan
	First, Last moment
	Samples     []row
	Takes       string // the time at the rate; empty if unknown
}

// optionNames are the parameters of a replay besides its selection.
var optionNames = []string{"endpoint", "url", "mode", "order", "rate", "pace", "concurrency", "stop_after_failures"}

// requested reads a replay's selection, target and options from the address. Empty options are not set.
func (v *visit) requested() (f filters, want replay.Request, err error) {
	if f, err = v.filters(optionNames...); err != nil {
		return f, want, err
	}
	query := v.URL.Query()
	o := event.ReplayOptions{Mode: event.Mode(query.Get("mode")), Order: event.Order(query.Get("order"))}
	numbers := numbers{values: query}
	o.Rate, o.Pace = numbers.float("rate"), numbers.float("pace")
	o.Concurrency = uint16(numbers.whole("concurrency", 16))
	o.StopAfterFailures = uint32(numbers.whole("stop_after_failures", 32))
	want = replay.Request{Selection: f.Selection, ReplayOptions: o}
	want.To = cmp.Or(query.Get("url"), query.Get("endpoint")) // a typed URL wins over the choice in the list
	return f, want, numbers.err
}

// numbers parses numbers of a form and keeps the first error. Empty numbers are 0.
type numbers struct {
	values url.Values
	err    error
}

func (n *numbers) float(name string) float64 {
	text := n.values.Get(name)
	if text == "" {
		return 0
	}
	value, err := parseNumber(name, text)
	if n.err == nil {
		n.err = err
	}
	return value
}

func parseNumber(name, text string) (float64, error) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || !(value >= 0 && value <= 1e6) { // !(…) because of NaN
		return 0, api.Invalidf("invalid %s %q: want a number between 0 and a million", name, text)
	}
	return value, nil
}

func (n *numbers) whole(name string, bits int) uint64 {
	text := n.values.Get(name)
	if text == "" {
		return 0
	}
	value, err := strconv.ParseUint(text, 10, bits)
	if err != nil && n.err == nil {
		n.err = api.Invalidf("invalid %s %q: want a whole number of at most %d bits", name, text, bits)
	}
	return value
}

// newReplay plans the replay that the address describes; nil if it describes none, or if the user may not replay.
func (v *visit) newReplay() (*newReplay, error) {
	if !v.selects() || !v.user.Role.Covers(api.RoleReplay) {
		return nil, nil
	}
	f, want, err := v.requested()
	if err != nil {
		return nil, err
	}
	n := &newReplay{filters: f, Chips: v.chips(f, "/replays"), Endpoints: v.direct.EndpointNames(),
		To: want.To, Options: want.ReplayOptions, Key: rand.Text()}
	n.Named = slices.Contains(n.Endpoints, want.To)
	if want.To == "" {
		return n, nil
	}
	found, err := v.direct.Plan(v.Context(), want)
	if p, internal := api.ProblemOf(err); err != nil && !internal {
		n.Fault = p.Detail
		return n, nil
	}
	if err != nil {
		return nil, err
	}
	n.Create = link("/replays", frozen(f, v.URL.Query(), v.now))
	n.Plan = &plan{Plan: found, First: v.atOr(found.First), Last: v.atOr(found.Last)}
	if found.Seconds > 0 {
		n.Plan.Takes = span(milliseconds(found.Seconds * 1000))
	}
	n.Plan.Samples, err = v.rows(found.Samples, nil)
	return n, err
}

// frozen replaces relative times in a query by the times of the plan. Otherwise "the last hour" would be another one a
// minute later, and events that arrive meanwhile would be sent unplanned.
func frozen(f filters, query url.Values, now time.Time) url.Values {
	query.Del("since")
	if f.From != nil {
		query.Set("from", f.From.UTC().Format(time.RFC3339Nano))
	}
	if f.Until == nil {
		query.Set("until", now.UTC().Format(time.RFC3339Nano))
	}
	return query
}

// createReplay creates the planned replay, which the address describes.
func createReplay(v *visit) error {
	_, want, err := v.requested()
	if err != nil {
		return err
	}
	created, err := v.direct.Create(v.Context(), v.PostFormValue("key"), want)
	if errors.Is(err, replay.ErrNothing) {
		return api.Invalidf("nothing was sent: every matching event was already delivered to this endpoint")
	}
	if err != nil {
		return err
	}
	return v.redirect("/replays/" + created.ID.String())
}
