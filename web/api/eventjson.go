package api

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
)

// Event is an event as programs read it, from the API and from the command line. Names are those of the columns in
// ClickHouse.
type Event struct {
	ID          uuid.UUID         `json:"id" doc:"A UUIDv7 of the millisecond of receiving."`
	ReceivedAt  time.Time         `json:"received_at" doc:"When the request came, UTC."`
	StoredAt    time.Time         `json:"stored_at" doc:"When ClickHouse took it."`
	Source      string            `json:"source" doc:"The source whose hook it came to."`
	Step        string            `json:"step" doc:"What stood behind the token in the hook's URL; empty for nothing."`
	Kind        event.Kind        `json:"kind" doc:"What BotHelp meant by it, read from the body."`
	Verdict     event.Verdict     `json:"verdict" doc:"What was decided about the request. Only accepted ones are ever forwarded."`
	RemoteIP    string            `json:"remote_ip" doc:"Who sent it."`
	TraceID     string            `json:"trace_id" doc:"The trace of its arrival, 32 hex digits."`
	DuplicateOf *uuid.UUID        `json:"duplicate_of,omitempty" doc:"The first event of which this is BotHelp's repetition."`
	Decoded     map[string]string `json:"decoded" doc:"The known fields that the body has, as text: bothelp_user_id, name, utm_source, …"`
	Fields      map[string]string `json:"fields" doc:"Everything else in the body by its owner's names; what is no text stands as JSON."`
	DecodeError string            `json:"decode_error,omitempty" doc:"What of the body could not be read, and why; or that the URL was mistyped before its token."`

	Request    *EventRequest `json:"request,omitempty" doc:"The request as it came; not in lists."`
	Deliveries []Delivery    `json:"deliveries,omitzero" doc:"Every way of the event to an endpoint; not in lists."`
}

// EventRequest is the request of an event as it came, but for the hook's token, which is masked in the path. What is
// not UTF-8 stands in Base64, in a property of its own.
type EventRequest struct {
	Method      string         `json:"method" doc:"Its method."`
	Path        string         `json:"path" doc:"Its path, the hook's token masked."`
	Query       string         `json:"query" doc:"What stood behind the question mark, where it is UTF-8."`
	QueryBase64 string         `json:"query_base64,omitempty" doc:"The same in Base64, where it is not."`
	Headers     []event.Header `json:"headers" doc:"Its header lines in order."`
	BodySHA256  string         `json:"body_sha256" doc:"Of the body's bytes, taken on arrival."`
	Body        string         `json:"body,omitempty" doc:"The body, where it is UTF-8."`
	BodyBase64  string         `json:"body_base64,omitempty" doc:"The body in Base64, where it is not."`
	BodyGone    bool           `json:"body_gone,omitempty" doc:"The body is past its retention: only its hash is left."`
}

// Bytes is the body.
func (r *EventRequest) Bytes() []byte { return textOrBase64(r.Body, r.BodyBase64) }

// RawQuery is the query.
func (r *EventRequest) RawQuery() string { return string(textOrBase64(r.Query, r.QueryBase64)) }

// Delivery is an event's way to one endpoint.
type Delivery struct {
	ReplayID   uuid.UUID           `json:"replay_id" doc:"The replay that it belongs to; all zeros for live delivery."`
	Endpoint   string              `json:"endpoint" doc:"The endpoint's name; for a replay to a URL that URL, its query's values masked."`
	State      event.DeliveryState `json:"state" doc:"Where it stands."`
	NextAt     *time.Time          `json:"next_at,omitempty" doc:"When it is tried again."`
	StatusCode uint16              `json:"status_code,omitempty" doc:"Of the last answer."`
	Error      string              `json:"error,omitempty" doc:"Why the last attempt failed."`
	UpdatedAt  time.Time           `json:"updated_at" doc:"When it came to this state."`
	Attempts   []Attempt           `json:"attempts" doc:"Every sending, in order of time."`
}

// Attempt is one sending, and what came back.
type Attempt struct {
	ID                 uuid.UUID      `json:"id" doc:"Its id."`
	Number             uint32         `json:"number" doc:"1 is the first."`
	URL                string         `json:"url" doc:"Where it went, the query's values masked."`
	StartedAt          time.Time      `json:"started_at" doc:"When it began."`
	DurationMS         float64        `json:"duration_ms" doc:"How long it took, in milliseconds."`
	Outcome            event.Outcome  `json:"outcome" doc:"How it ended."`
	StatusCode         uint16         `json:"status_code" doc:"Of the answer; 0 when there was none."`
	Error              string         `json:"error,omitempty" doc:"Why it failed."`
	RequestHeaders     []event.Header `json:"request_headers,omitempty" doc:"Of the request. What the configuration or a replay sets, and a signature, is masked. Absent of an attempt whose process died, and of those made before hooktape kept them."`
	ResponseHeaders    []event.Header `json:"response_headers" doc:"Of the answer."`
	ResponseBody       string         `json:"response_body" doc:"The answer's first 16 KiB, where they are UTF-8."`
	ResponseBodyBase64 string         `json:"response_body_base64,omitempty" doc:"The same in Base64, where they are not."`
	TraceID            string         `json:"trace_id" doc:"Its trace, linked to that of the event's arrival."`
}

// Response is the answer's body, its first 16 KiB.
func (a *Attempt) Response() []byte { return textOrBase64(a.ResponseBody, a.ResponseBodyBase64) }

// briefEvent is an event as it stands in lists.
func briefEvent(e *event.Event) Event {
	j := Event{ID: e.ID, ReceivedAt: e.ReceivedAt, StoredAt: e.StoredAt, Source: e.Source, Step: e.Step, Kind: e.Kind,
		Verdict: e.Verdict, RemoteIP: e.RemoteIP.String(), TraceID: hex.EncodeToString(e.TraceID[:]),
		Decoded: map[string]string{}, Fields: e.Fields, DecodeError: e.DecodeError}
	if e.DuplicateOf != uuid.Nil {
		j.DuplicateOf = &e.DuplicateOf
	}
	if j.Fields == nil {
		j.Fields = map[string]string{}
	}
	for _, f := range known(&e.Decoded) {
		if f.value != "" {
			j.Decoded[f.name] = f.value
		}
	}
	return j
}

func briefEvents(events []event.Event) []Event {
	list := make([]Event, len(events))
	for i := range events {
		list[i] = briefEvent(&events[i])
	}
	return list
}

// WholeEvent is an event with its request and deliveries.
func WholeEvent(e *event.Event, deliveries []Delivery) Event {
	j := briefEvent(e)
	j.Deliveries = deliveries
	j.Request = &EventRequest{Method: e.Method, Path: e.Path, Headers: present(e.Headers),
		BodySHA256: hex.EncodeToString(e.BodySHA256[:]), BodyGone: e.BodyGone()}
	j.Request.Query, j.Request.QueryBase64 = split([]byte(e.Query))
	j.Request.Body, j.Request.BodyBase64 = split(e.Body)
	return j
}

// deliveriesJSON puts the attempts of an event to its deliveries.
func deliveriesJSON(deliveries []event.Delivery, attempts []event.Attempt) []Delivery {
	list := []Delivery{}
	for _, d := range deliveries {
		j := Delivery{ReplayID: d.ReplayID, Endpoint: replay.TargetName(d.Endpoint), State: d.State, StatusCode: d.StatusCode, Error: d.Error,
			UpdatedAt: d.UpdatedAt, Attempts: []Attempt{}}
		if d.State == event.Retrying {
			j.NextAt = &d.NextAt
		}
		for _, a := range attempts {
			if a.ReplayID == d.ReplayID && a.Endpoint == d.Endpoint {
				j.Attempts = append(j.Attempts, attemptOf(a))
			}
		}
		list = append(list, j)
	}
	return list
}

// attemptOf is an attempt as programs and people read it.
func attemptOf(a event.Attempt) Attempt {
	j := Attempt{ID: a.ID, Number: a.Number, URL: MaskedURL(a.URL), StartedAt: a.StartedAt, DurationMS: float64(a.Duration) / float64(time.Millisecond),
		Outcome: a.Outcome, StatusCode: a.StatusCode, Error: a.Error, RequestHeaders: a.RequestHeaders, ResponseHeaders: present(a.ResponseHeaders),
		TraceID: hex.EncodeToString(a.TraceID[:])}
	j.ResponseBody, j.ResponseBodyBase64 = split(a.ResponseBody)
	return j
}

func present(headers []event.Header) []event.Header {
	if headers == nil {
		return []event.Header{}
	}
	return headers
}

// split gives bytes as text where they are text, else in Base64.
func split(b []byte) (text, base string) {
	if utf8.Valid(b) {
		return string(b), ""
	}
	return "", base64.StdEncoding.EncodeToString(b)
}

func textOrBase64(text, base string) []byte {
	if base == "" {
		return []byte(text)
	}
	b, _ := base64.StdEncoding.DecodeString(base) // made by split; what is not, is empty
	return b
}

type field struct{ name, value string }

// known lists the known fields of a body, by column, in the order in which people read them.
func known(d *event.Decoded) []field {
	when := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	conversations := ""
	if d.ConversationsCount != nil {
		conversations = strconv.FormatUint(*d.ConversationsCount, 10)
	}
	return []field{
		{"event_at", when(d.EventAt)},
		{"bothelp_user_id", d.BothelpUserID},
		{"messenger_user_id", d.MessengerUserID},
		{"messenger_username", d.MessengerUsername},
		{"cuid", d.CUID},
		{"ref", d.Ref},
		{"name", d.Name},
		{"first_name", d.FirstName},
		{"last_name", d.LastName},
		{"email", d.Email},
		{"phone", d.Phone},
		{"profile_link", d.ProfileLink},
		{"channel", d.Channel},
		{"conversations_count", conversations},
		{"created_at", when(d.CreatedAt)},
		{"first_contact_at", when(d.FirstContactAt)},
		{"last_contact_at", when(d.LastContactAt)},
		{"utm_source", d.UTMSource},
		{"utm_medium", d.UTMMedium},
		{"utm_campaign", d.UTMCampaign},
		{"utm_content", d.UTMContent},
		{"utm_term", d.UTMTerm},
	}
}

// DecodedNames are the names in Event.Decoded in the order in which people read them.
var DecodedNames = func() (names []string) {
	for _, f := range known(&event.Decoded{}) {
		names = append(names, f.name)
	}
	return names
}()
