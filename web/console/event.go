package console

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

type eventPage struct {
	row
	Body       body
	Key        string // the Idempotency-Key of the replay form: sending it twice creates one replay
	Decoded    []pair
	Fields     []pair
	Curl       string
	Signature  string // its state; empty if unknown
	Accepted   moment // when it was accepted, if it was rejected before
	Timeline   timeline
	Deliveries []delivery
	Forward    *forwarded // nil: no bot waited for an answer
	Before     *neighbour
	After      *neighbour
	Target     target
	MayReplay  bool
}

type pair struct{ Name, Value string }

// LongBody reports whether the curl command does not contain the body.
func (p eventPage) LongBody() bool { return p.Body.Bytes > maxArgument }

// delivery is a delivery as a page shows it, with its attempts or in a list.
type delivery struct {
	api.Delivery
	Event    row // in a list; zero if it is past its retention
	Received moment
	Updated  moment
	Last     moment // the last attempt
	Next     moment
	Result   label // of the last attempt
	Waits    *waiting
	Attempts []attempt
}

// Tries returns the number of its attempts with their noun.
func (d delivery) Tries() string { return count(uint64(d.AttemptCount), "attempt") }

type attempt struct {
	api.Attempt
	Started moment
	Took    string
	Answer  block
	Open    bool // shown with its answer
}

// Why returns the error without the status, which the page shows already.
func (a attempt) Why() string {
	return strings.TrimPrefix(strings.TrimPrefix(a.Error, "answered "+a.StatusText()), "; ")
}

// StatusText returns a text such as "503 Service Unavailable"; "" without an answer.
func (a attempt) StatusText() string { return statusText(a.StatusCode) }

// Result returns the status of the answer, or without one how the attempt ended.
func (a attempt) Result() label { return resultOf(a.Outcome, a.StatusCode) }

func resultOf(outcome event.Outcome, code uint16) label {
	result := labelOf("outcome", outcome)
	result.Text = cmp.Or(statusText(code), result.Text)
	return result
}

func statusText(code uint16) string {
	if code == 0 {
		return ""
	}
	return strings.TrimSpace(strconv.Itoa(int(code)) + " " + http.StatusText(int(code)))
}

// wholeID returns the id that a text in an address names: see [api.Direct.WholeID]. Forms have whole ids: what was the
// last when a page asked for a confirmation may not be it any more.
func (v *visit) wholeID(ctx context.Context, kind event.Named, text string) (string, error) {
	if v.Method == http.MethodPost && !event.IsID(kind, strings.ToLower(text)) {
		return "", api.Invalidf("invalid %s id %.60q: a form needs whole ids", kind, text)
	}
	return v.direct.WholeID(ctx, kind, text)
}

// uuidOf returns the id of the event or replay that a text names. There is no page of any other text.
func (v *visit) uuidOf(kind event.Named, text string) (uuid.UUID, error) {
	whole, err := v.wholeID(v.Context(), kind, text)
	if err != nil {
		return uuid.Nil, v.noPage(err)
	}
	return uuid.Parse(whole)
}

// noPage turns the error of an invalid id in an address into "not found", with the same sentence.
func (v *visit) noPage(err error) error {
	p, ok := errors.AsType[*api.Problem](err)
	if !ok || p.Status != http.StatusUnprocessableEntity || v.Method == http.MethodPost {
		return err
	}
	return api.Problemf(http.StatusNotFound, "%s", p.Detail)
}

func (v *visit) eventID() (uuid.UUID, error) { return v.uuidOf(event.NamesEvent, v.PathValue("id")) }

func showEvent(v *visit) error {
	id, err := v.eventID()
	if err != nil {
		return err
	}
	if id.String() != v.PathValue("id") { // an address to share has the whole id
		return v.redirect(link("/events/"+id.String(), v.URL.Query()))
	}
	e, err := v.direct.Event(v.Context(), id)
	if err != nil {
		return err
	}
	p := eventPage{row: row{Event: e, At: v.at(e.ReceivedAt)}, Fields: sorted(e.Fields), Curl: v.curl(e),
		Signature: v.signature(e), MayReplay: v.user.Role.Covers(api.RoleReplay), Key: rand.Text()}
	if e.Acceptance != nil {
		p.Accepted = v.at(e.Acceptance.At)
	}
	p.Body = bodyOf(e.Request.Bytes(), "/events/"+id.String()+"?all=1#body", v.URL.Query().Has("all"))
	p.Forward = v.forwarded(e, p.Body)
	for _, name := range api.DecodedNames {
		if value := p.Parsed()[name]; value != "" {
			p.Decoded = append(p.Decoded, pair{name, value})
		}
	}
	for _, d := range e.Deliveries {
		p.Deliveries = append(p.Deliveries, v.delivery(d))
	}
	p.Target = v.target(openFailures(p.Deliveries)...)
	if p.Timeline, err = v.timeline(e); err != nil {
		return err
	}
	if p.Before, p.After, err = v.neighbours(e); err != nil {
		return err
	}
	return v.show("event", "Event "+id.String(), p)
}

// openFailures shows the answer of the last attempt at each endpoint where the event's newest delivery is not
// successful, and returns these endpoints. Those where it has ended come first: hooktape still tries the others.
func openFailures(deliveries []delivery) []string {
	var failed, open []string
	newest := map[string]*delivery{}
	for i := range deliveries {
		d := &deliveries[i]
		if other := newest[d.Endpoint]; other == nil || d.UpdatedAt.After(other.UpdatedAt) {
			newest[d.Endpoint] = d
		}
	}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		d := newest[name]
		if n := len(d.Attempts); n > 0 && d.State != event.Delivered {
			d.Attempts[n-1].Open = true
			if d.State.Final() {
				failed = append(failed, name)
			} else {
				open = append(open, name)
			}
		}
	}
	return append(failed, open...)
}

func sorted(m map[string]string) (list []pair) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, pair{name, m[name]})
	}
	return list
}

// signature describes the request's signature by the source's current configuration; "" if it was not checked.
func (v *visit) signature(e api.Event) string {
	signed := slices.ContainsFunc(v.Sources(), func(s Source) bool { return s.Name == e.Source && s.Signed })
	switch {
	case e.Verdict == event.BadSignature:
		return "invalid"
	case e.Verdict == event.Accepted && signed:
		return "valid, if it was required then"
	case e.Verdict == event.Accepted:
		return "not required"
	}
	return ""
}

func (v *visit) delivery(d api.Delivery) delivery {
	shown := delivery{Delivery: d, Received: v.at(d.EventReceivedAt), Updated: v.at(d.UpdatedAt),
		Last: v.at(d.LastAttemptAt), Next: v.at(d.NextAt), Result: resultOf(d.Outcome, d.StatusCode),
		Waits: v.waits(d.Waiting, d.Endpoint, d.ReplayID, d.ID)}
	for _, a := range d.Attempts {
		shown.Attempts = append(shown.Attempts, v.attempt(a))
	}
	return shown
}

func (v *visit) attempt(a api.Attempt) attempt {
	return attempt{Attempt: a, Started: v.at(a.StartedAt), Took: span(milliseconds(a.DurationMS)),
		Answer: block{Text: string(a.Response())}}
}

// neighbour is the previous or next event of the same subscriber, and the difference between the two bodies.
type neighbour struct {
	ID      uuid.UUID
	Apart   string // the time between the two
	Place   string
	Changes []change
	Unlike  bool // the bodies are not both JSON objects
}

func (v *visit) neighbours(e api.Event) (before, after *neighbour, err error) {
	subscriber := row{Event: e}.Subscriber()
	if subscriber == "" {
		return nil, nil, nil
	}
	earlier, later, err := v.direct.Neighbours(v.Context(), subscriber, e)
	if err != nil {
		return nil, nil, err
	}
	if earlier != nil {
		before = neighbourOf(earlier, earlier, &e)
	}
	if later != nil {
		after = neighbourOf(later, &e, later)
	}
	return before, after, nil
}

// neighbourOf returns the neighbour e, which is one of older and newer.
func neighbourOf(e, older, newer *api.Event) *neighbour {
	changes, ok := changesOf(older.Request.Bytes(), newer.Request.Bytes())
	return &neighbour{ID: e.ID, Place: row{Event: *e}.Place(), Apart: span(newer.ReceivedAt.Sub(older.ReceivedAt)),
		Changes: changes, Unlike: !ok}
}

// sendBody sends the bytes of a body as a file, which no browser displays or runs.
func sendBody(v *visit) error {
	id, err := v.eventID()
	if err != nil {
		return err
	}
	body, err := v.direct.Body(v.Context(), id)
	if err != nil {
		return err
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", `attachment; filename="`+id.String()+`.body"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = v.w.Write(body) // fails when the client is gone
	return nil
}

// replayEvent sends one event to an endpoint or a URL; if that has the event already, or is about to get it, after a
// confirmation.
func replayEvent(v *visit) error {
	if err := v.user.Require(api.RoleReplay); err != nil {
		return err
	}
	id, err := v.eventID()
	if err != nil {
		return err
	}
	to := targetIn(v.PostForm)
	if to == "" {
		return api.Invalidf("no target: choose an endpoint, or type a URL")
	}
	e, err := v.direct.Event(v.Context(), id)
	if err != nil {
		return err
	}
	var reasons []template.HTML
	for _, d := range e.Deliveries {
		switch {
		case d.Endpoint != replay.TargetName(to):
		case d.State == event.Delivered:
			reasons = append(reasons, line(to)+" has this event since "+when(v.at(d.UpdatedAt))+".")
		case !d.State.Final():
			reasons = append(reasons, "A delivery of this event to "+line(to)+" is still open, and will be sent too.")
		}
	}
	if ok, err := v.confirmed("Send it again?", "Send it again", reasons); !ok {
		return err
	}
	created, err := v.direct.Create(v.Context(), v.PostFormValue("key"),
		replay.Request{To: to, Selection: event.Selection{IDs: []uuid.UUID{id}},
			ReplayOptions: event.ReplayOptions{Mode: event.ModeAll}})
	if err != nil {
		return err
	}
	return v.redirect("/replays/" + created.ID.String())
}
