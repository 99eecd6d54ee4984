package console

import (
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// newReplay is the form of a new replay, and its plan.
type newReplay struct {
	filters
	target
	Chips   []chip
	Again   string // the replay whose events are sent again; empty for the filters
	Options event.ReplayOptions
	Plan    *plan
	Fault   string // why there is no plan
	Create  string // the address that creates the planned replay
	Key     string // its Idempotency-Key: sending the form twice creates one replay
	admin   bool
}

// Advanced reports whether an option is set that most people leave alone.
func (n newReplay) Advanced() bool {
	o := n.Options
	o.Mode, o.IncludeRejected = "", false // they are not among the advanced ones
	return len(optionValues(o)) > 0
}

type plan struct {
	api.Plan
	First, Last moment
	Samples     []row
	Takes       string // the time at the rate; empty if unknown
}

// MayInclude reports whether the form offers to include rejected requests.
func (n newReplay) MayInclude() bool { return n.admin || n.Options.IncludeRejected }

// RejectedURL returns the list of the selected rejected requests, with their reasons.
func (n newReplay) RejectedURL() string { return "/?" + n.with("rejected", "true") }

// target is the field of a form in which people choose an endpoint, or type a URL.
type target struct {
	Endpoints []string // of the configuration
	To        string   // an endpoint's name, or a URL; empty for none yet
}

// otherURL is the choice of a URL instead of an endpoint. No endpoint has this name.
const otherURL = ":url"

// IsURL reports whether the target is a URL.
func (t target) IsURL() bool {
	return t.To != "" && !slices.Contains(t.Endpoints, t.To) || len(t.Endpoints) == 0
}

// target returns the field with the first proposal that is an endpoint of the configuration, or with its only endpoint.
func (v *visit) target(proposals ...string) target {
	t := target{Endpoints: v.direct.EndpointNames()}
	if len(t.Endpoints) == 1 {
		t.To = t.Endpoints[0]
	}
	for _, name := range proposals {
		if slices.Contains(t.Endpoints, name) {
			t.To = name
			break
		}
	}
	return t
}

// targetIn returns the endpoint or the URL in a form.
func targetIn(form url.Values) string {
	if endpoint := form.Get("endpoint"); endpoint != "" && endpoint != otherURL {
		return endpoint
	}
	return form.Get("url")
}

// optionNames are the parameters of a replay besides its selection.
var optionNames = []string{"endpoint", "url", "mode", "order", "rate", "pace", "concurrency", "stop_after_failures",
	"retry", "max_attempts", "include_rejected", "again"}

// requested reads a replay's selection, target and options from the address. Empty options are not set. An address with
// nothing but a replay to repeat has the options of that replay.
func (v *visit) requested() (f filters, want replay.Request, err error) {
	if f, err = v.filters(optionNames...); err != nil {
		return f, want, err
	}
	query := v.URL.Query()
	if text := query.Get("again"); text != "" {
		if want.Again, err = v.uuidOf(event.NamesReplay, text); err != nil {
			return f, want, err
		}
		if len(query) == 1 {
			r, err := v.direct.Replay(v.Context(), want.Again)
			want.To, want.ReplayOptions, want.Headers = r.Endpoint, r.ReplayOptions, nil // which are masked
			return f, want, err
		}
	}
	o := event.ReplayOptions{Mode: event.Mode(query.Get("mode")), Order: event.Order(query.Get("order")),
		Retry: event.Retry(query.Get("retry"))}
	numbers := numbers{values: query}
	o.Rate, o.Pace = numbers.float("rate"), numbers.float("pace")
	o.Concurrency = uint16(numbers.whole("concurrency", 16))
	o.MaxAttempts = uint16(numbers.whole("max_attempts", 16))
	o.StopAfterFailures = uint32(numbers.whole("stop_after_failures", 32))
	o.IncludeRejected = query.Get("include_rejected") == "true"
	want.Selection, want.To, want.ReplayOptions = f.Selection, targetIn(query), o
	return f, want, numbers.err
}

// optionValues is the inverse of requested for the options that are not the default. It leaves out headers, because
// their values are secrets.
func optionValues(o event.ReplayOptions) url.Values {
	values := url.Values{}
	set := func(name string, value, otherwise any) {
		if text := fmt.Sprint(value); text != fmt.Sprint(otherwise) && !reflect.ValueOf(value).IsZero() {
			values.Set(name, text)
		}
	}
	set("mode", o.Mode, event.ModeUndelivered)
	set("order", o.Order, event.OrderNone)
	set("rate", o.Rate, 0)
	set("concurrency", o.Concurrency, 4)
	set("pace", o.Pace, 0)
	set("stop_after_failures", o.StopAfterFailures, 0)
	set("retry", o.Retry, event.RetryEndpoint)
	set("max_attempts", o.MaxAttempts, 0)
	set("include_rejected", o.IncludeRejected, false)
	return values
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
	n := &newReplay{filters: f, target: v.target(f.FailedAt, f.UndeliveredTo), Chips: v.chips(f, "/replays"),
		Options: want.ReplayOptions, Key: rand.Text(), admin: v.user.Role.Covers(api.RoleAdmin)}
	if want.Again != uuid.Nil {
		if err := v.repeat(n, want.Again); err != nil {
			return nil, err
		}
	}
	if want.To != "" || v.URL.Query().Has("endpoint") { // what the form says
		n.To = want.To
	}
	if want.To = n.To; want.To == "" {
		if v.URL.Query().Has("endpoint") {
			n.Fault = "no target: choose an endpoint, or type a URL"
		}
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
	n.Create = link("/replays", n.createQuery(want, v))
	n.Plan = &plan{Plan: found, First: v.at(found.First), Last: v.at(found.Last)}
	if found.Seconds > 0 {
		n.Plan.Takes = span(milliseconds(found.Seconds * 1000))
	}
	n.Plan.Samples, err = v.rows(found.Samples, nil)
	return n, err
}

// repeat shows the selection of the replay to repeat.
func (v *visit) repeat(n *newReplay, id uuid.UUID) error {
	r, err := v.direct.Replay(v.Context(), id)
	if err != nil {
		return err
	}
	n.Again = id.String()
	n.Chips = v.chips(filters{Values: r.Selection.Values(), Selection: r.Selection}, "")
	return nil
}

// createQuery returns the query of the planned replay: its filters or the replay that it repeats, target and options.
func (n *newReplay) createQuery(want replay.Request, v *visit) url.Values {
	query := frozen(n.filters, v.URL.Query(), v.now)
	if n.Again != "" {
		query = optionValues(want.ReplayOptions)
		query.Set("again", n.Again)
	}
	query.Set("endpoint", want.To)
	return query
}

// frozen replaces relative times in a query by the times of the plan. Otherwise "the last hour" would be another one a
// minute later, and events that arrive meanwhile would be sent unplanned.
func frozen(f filters, query url.Values, now time.Time) url.Values {
	maps.Copy(query, f.Values) // whole ids
	query.Del("since")
	if f.From != nil {
		query.Set("from", f.From.UTC().Format(time.RFC3339Nano))
	}
	if f.Until == nil {
		query.Set("until", now.UTC().Format(time.RFC3339Nano))
	}
	return query
}

// createReplay creates the planned replay, which the address describes, after a confirmation if the plan asks for one.
func createReplay(v *visit) error {
	if err := v.user.Require(api.RoleReplay); err != nil {
		return err
	}
	_, want, err := v.requested()
	if err != nil {
		return err
	}
	if !v.PostForm.Has("confirmed") {
		planned, err := v.direct.Plan(v.Context(), want)
		if err != nil {
			return err
		}
		events := count(planned.Count, "event")
		if ok, err := v.confirmed("Replay "+events+" to "+planned.Endpoint+"?", "Replay "+events,
			reasonsOf(planned.Confirm)); !ok {
			return err
		}
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

// reasonsOf returns reasons to ask as sentences.
func reasonsOf(list []replay.Confirmation) (reasons []template.HTML) {
	for _, c := range list {
		reasons = append(reasons, visible(strings.ToUpper(c.Text[:1])+c.Text[1:]+"."))
	}
	return reasons
}
