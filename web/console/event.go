package console

import (
	"crypto/rand"
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

func (c *console) eventRoutes(mux *http.ServeMux) {
	mux.Handle("GET /events/{id}", c.page(showEvent))
	mux.Handle("GET /events/{id}/raw", c.page(sendBody))
	mux.Handle("POST /events/{id}/replay", c.page(replayEvent))
}

type eventPage struct {
	row
	Body      body
	Key       string // makes sending twice by one form one replay
	Decoded   []pair
	Fields    []pair
	Curl      string
	Signature string // what is known of it; empty for nothing
	Trace     *trace
	Ways      []way
	Before    *neighbour
	After     *neighbour
	Endpoints []string
	MayReplay bool
}

type pair struct{ Name, Value string }

// LongBody tells whether the body is no part of the curl command.
func (p eventPage) LongBody() bool { return p.Body.Bytes > maxArgument }

// way is a delivery with its attempts as the page shows them.
type way struct {
	api.Delivery
	Live     bool
	Updated  moment
	Next     moment
	Attempts []attempt
}

type attempt struct {
	api.Attempt
	Started moment
	Took    string
	Answer  block
}

// Why is why it failed, without what the status says.
func (a attempt) Why() string {
	return strings.TrimPrefix(strings.TrimPrefix(a.Error, "answered "+a.StatusText()), "; ")
}

// StatusText is the number with its words, such as 503 Service Unavailable.
func (a attempt) StatusText() string { return statusText(a.StatusCode) }

func statusText(code uint16) string {
	if code == 0 {
		return ""
	}
	text := http.StatusText(int(code))
	if text == "" {
		return strconv.Itoa(int(code))
	}
	return strconv.Itoa(int(code)) + " " + text
}

func (v *visit) eventID() (uuid.UUID, error) {
	id, err := uuid.Parse(v.PathValue("id"))
	if err != nil {
		return id, notFound("%q is no id of an event", v.PathValue("id"))
	}
	return id, nil
}

func showEvent(v *visit) error {
	id, err := v.eventID()
	if err != nil {
		return err
	}
	e, err := v.direct.Event(v.Context(), id)
	if err != nil {
		return err
	}
	p := eventPage{row: row{Event: e, At: v.at(e.ReceivedAt)}, Fields: sorted(e.Fields), Curl: v.curl(e),
		Endpoints: v.direct.EndpointNames(), MayReplay: v.who.Role.Covers(api.RoleReplay), Key: rand.Text()}
	p.Body = bodyOf(e.Request.Bytes(), "/events/"+id.String()+"?all=1#body", v.URL.Query().Has("all"))
	for _, name := range api.DecodedNames {
		if value := e.Decoded[name]; value != "" {
			p.Decoded = append(p.Decoded, pair{name, value})
		}
	}
	p.Ways, p.Signature = v.ways(e), v.signature(e)
	if p.Trace, err = v.trace(e); err != nil {
		return err
	}
	if p.Before, p.After, err = v.neighbours(e); err != nil {
		return err
	}
	return v.show("event", "Event "+id.String(), p)
}

func sorted(m map[string]string) (list []pair) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		list = append(list, pair{name, m[name]})
	}
	return list
}

// signature tells how the request's signature was, by what the source asks for now; nothing where it was not looked at.
func (v *visit) signature(e api.Event) string {
	signed := slices.ContainsFunc(v.Sources(), func(s Source) bool { return s.Name == e.Source && s.Signed })
	switch {
	case e.Verdict == event.BadSignature:
		return "wrong"
	case e.Verdict == event.Accepted && signed:
		return "right, if it was asked for then"
	case e.Verdict == event.Accepted:
		return "not asked for"
	}
	return ""
}

func (v *visit) ways(e api.Event) (list []way) {
	for _, d := range e.Deliveries {
		w := way{Delivery: d, Live: d.ReplayID == uuid.Nil, Updated: v.at(d.UpdatedAt), Next: v.atOr(d.NextAt)}
		for _, a := range d.Attempts {
			w.Attempts = append(w.Attempts, v.attempt(a))
		}
		list = append(list, w)
	}
	return list
}

func (v *visit) attempt(a api.Attempt) attempt {
	return attempt{Attempt: a, Started: v.at(a.StartedAt), Took: span(milliseconds(a.DurationMS)), Answer: blockOf(string(a.Response()), "", true)}
}

// neighbour is the event before or after this one of the same subscriber, and what differs between their bodies.
type neighbour struct {
	ID      uuid.UUID
	At      moment
	Apart   string // in time
	Place   string
	Changes []change
	Unlike  bool // the bodies cannot be compared field by field
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
	body := e.Request.Bytes()
	if earlier != nil {
		before = v.neighbour(earlier, earlier.Request.Bytes(), body)
		before.Apart = span(e.ReceivedAt.Sub(earlier.ReceivedAt))
	}
	if later != nil {
		after = v.neighbour(later, body, later.Request.Bytes())
		after.Apart = span(later.ReceivedAt.Sub(e.ReceivedAt))
	}
	return before, after, nil
}

func (v *visit) neighbour(e *api.Event, older, newer []byte) *neighbour {
	n := &neighbour{ID: e.ID, At: v.at(e.ReceivedAt), Place: row{Event: *e}.Place()}
	var ok bool
	if n.Changes, ok = changesOf(older, newer); !ok {
		n.Unlike = true
	}
	return n
}

// sendBody sends the bytes of a body as they came, as a file, never as something that a browser shows or runs.
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
	_, _ = v.w.Write(body) // who has gone needs none
	return nil
}

// replayEvent sends one event to an endpoint, or a URL, at once, whatever it has had before.
func replayEvent(v *visit) error {
	id, err := v.eventID()
	if err != nil {
		return err
	}
	to := v.PostFormValue("to")
	if url := v.PostFormValue("url"); url != "" {
		to = url
	}
	if to == "" {
		return problem(http.StatusUnprocessableEntity, "choose an endpoint, or write a URL to send to")
	}
	made, err := v.direct.Create(v.Context(), v.PostFormValue("key"),
		replay.Request{To: to, Selection: event.Selection{IDs: []uuid.UUID{id}}, ReplayOptions: event.ReplayOptions{Mode: event.ModeAll}})
	if err != nil {
		return err
	}
	return v.see("/replays/" + made.ID.String())
}
