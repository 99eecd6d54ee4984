package console

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// newReplay is the form of a replay to be made, and the plan of it.
type newReplay struct {
	filters
	Chips     []chip
	Endpoints []string
	Named     bool   // To is one of Endpoints
	To        string // an endpoint's name, or a URL
	Options   event.ReplayOptions
	Plan      *plan
	Fault     string // why there is no plan
	Make      string // where to send the wish for just what was planned
	Key       string // makes sending the form twice one replay
}

type plan struct {
	api.Plan
	First, Last moment
	Samples     []row
	Takes       string // how long, at the rate; empty when nobody can tell
}

// optionNames are the parameters of a replay beside its selection.
var optionNames = []string{"endpoint", "url", "mode", "order", "rate", "pace", "concurrency", "stop_after_failures"}

// wanted reads the selection, the target and the options of a replay from the URL. What was left empty is not set.
func (v *visit) wanted() (f filters, want replay.Request, err error) {
	if f, err = v.filters(optionNames...); err != nil {
		return f, want, err
	}
	query := v.URL.Query()
	o := event.ReplayOptions{Mode: event.Mode(query.Get("mode")), Order: event.Order(query.Get("order"))}
	numbers := numbers{query: query}
	o.Rate, o.Pace = numbers.float("rate"), numbers.float("pace")
	o.Concurrency, o.StopAfterFailures = uint16(numbers.whole("concurrency", 16)), uint32(numbers.whole("stop_after_failures", 32))
	want = replay.Request{Selection: f.Selection, ReplayOptions: o}
	want.To = cmp.Or(query.Get("url"), query.Get("endpoint")) // what is written in wins over what the list began with
	return f, want, numbers.err
}

// numbers reads numbers and keeps the first fault.
type numbers struct {
	query url.Values
	err   error
}

func (n *numbers) float(name string) float64 {
	text := n.query.Get(name)
	if text == "" {
		return 0
	}
	value, err := strconv.ParseFloat(text, 64)
	if (err != nil || !(value >= 0 && value <= 1e6)) && n.err == nil {
		n.err = problem(http.StatusUnprocessableEntity, "%s is %q, which is no number between 0 and a million", name, text)
	}
	return value
}

func (n *numbers) whole(name string, bits int) uint64 {
	text := n.query.Get(name)
	if text == "" {
		return 0
	}
	value, err := strconv.ParseUint(text, 10, bits)
	if err != nil && n.err == nil {
		n.err = problem(http.StatusUnprocessableEntity, "%s is %q, which is no whole number that it may have", name, text)
	}
	return value
}

// newReplay plans what the URL asks for; nil when it asks for nothing, or the visitor may not replay.
func (v *visit) newReplay() (*newReplay, error) {
	if !v.selects() || !v.who.Role.Covers(api.RoleReplay) {
		return nil, nil
	}
	f, want, err := v.wanted()
	if err != nil {
		return nil, err
	}
	n := &newReplay{filters: f, Chips: v.chips(f, "/replays"), Endpoints: v.direct.EndpointNames(), To: want.To, Options: want.ReplayOptions, Key: rand.Text()}
	for _, name := range n.Endpoints {
		n.Named = n.Named || name == want.To
	}
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
	n.Make = link("/replays", frozen(f, v.URL.Query(), v.now))
	n.Plan = &plan{Plan: found, First: v.atOr(found.First), Last: v.atOr(found.Last)}
	if found.Seconds > 0 {
		n.Plan.Takes = span(milliseconds(found.Seconds * 1000))
	}
	n.Plan.Samples, err = v.rows(found.Samples, nil)
	return n, err
}

// frozen is a query with the times that were meant when it was planned: "the last hour" is another one a minute later, and
// what comes meanwhile was not planned.
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

// createReplay makes the replay that was planned: the URL says which.
func createReplay(v *visit) error {
	_, want, err := v.wanted()
	if err != nil {
		return err
	}
	made, err := v.direct.Create(v.Context(), v.PostFormValue("key"), want)
	if errors.Is(err, replay.ErrNothing) {
		return problem(http.StatusUnprocessableEntity, "nothing was sent: no event matches that this endpoint has not had already")
	}
	if err != nil {
		return err
	}
	return v.see("/replays/" + made.ID.String())
}
