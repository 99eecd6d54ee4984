package api

import (
	"encoding/base64"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
)

// Event is an event in the JSON of the API and of the command line. Properties have the names of the columns in
// ClickHouse.
type Event struct {
	ID          uuid.UUID         `json:"id" doc:"A UUIDv7 of the millisecond of receipt."`
	ReceivedAt  time.Time         `json:"received_at" doc:"When the request arrived, UTC."`
	StoredAt    time.Time         `json:"stored_at" doc:"When it was stored in ClickHouse."`
	Source      string            `json:"source" doc:"The source whose hook it was sent to."`
	Step        string            `json:"step" doc:"The path after the token in the hook's URL; empty for none."`
	Kind        event.Kind        `json:"kind" doc:"The kind of event, parsed from the body."`
	Verdict     event.Verdict     `json:"verdict" doc:"Whether the request was accepted, or why it was rejected. Only accepted events are delivered, unless a replay includes rejected ones."`
	RemoteIP    string            `json:"remote_ip" doc:"The sender's address."`
	TraceID     string            `json:"trace_id" doc:"The trace of the request, 32 hex digits."`
	DuplicateOf uuid.UUID         `json:"duplicate_of,omitzero" doc:"The original event, of which BotHelp sent this duplicate."`
	Decoded     map[string]string `json:"decoded" doc:"The known fields of the body, as text: bothelp_user_id, name, utm_source, …"`
	Fields      map[string]string `json:"fields" doc:"The custom fields of the body; a value that is not text is JSON."`
	DecodeError string            `json:"decode_error,omitempty" doc:"What could not be parsed, and why; or that the URL was mistyped before its token."`

	// Of an external request, for whose answer a bot waited.
	Fallback    event.Fallback    `json:"fallback,omitempty" doc:"Why the bot that waited for the answer got the fallback; absent if it got the endpoint's answer, and for events without a waiting bot."`
	BrokenOff   bool              `json:"broken_off,omitempty" doc:"Whether the bot that waited got an answer that broke off, or hooktape was stopped before it recorded what the bot got."`
	MissingKeys []string          `json:"missing_keys,omitempty" doc:"The expected keys that the answer to the waiting bot did not have."`
	Rejection   *Rejection        `json:"rejection,omitempty" doc:"Of a rejected request: why, and what can be read from it."`
	Acceptance  *event.Acceptance `json:"acceptance,omitempty" doc:"Who accepted this event after it was rejected."`

	Request    *EventRequest `json:"request,omitempty" doc:"The original request; not in lists."`
	Deliveries []Delivery    `json:"deliveries,omitzero" doc:"Its deliveries to each endpoint; not in lists."`
	Forward    *Forward      `json:"forward,omitempty" doc:"The request that was forwarded while a bot waited, and its answer; not in lists."`
}

// EventRequest is the original request of an event. The hook's token is masked in the path. A query or body that is not
// UTF-8 is in Base64, in another property.
type EventRequest struct {
	Method      string         `json:"method" doc:"Its method."`
	Path        string         `json:"path" doc:"Its path, with the hook's token masked."`
	Query       string         `json:"query" doc:"Its query, if it is UTF-8."`
	QueryBase64 string         `json:"query_base64,omitempty" doc:"Its query in Base64, if it is not UTF-8."`
	Headers     []event.Header `json:"headers" doc:"Its headers in their order."`
	BodySHA256  string         `json:"body_sha256" doc:"The hash of the body's bytes, computed on arrival."`
	Body        string         `json:"body,omitempty" doc:"The body, if it is UTF-8."`
	BodyBase64  string         `json:"body_base64,omitempty" doc:"The body in Base64, if it is not UTF-8."`
	BodyGone    bool           `json:"body_gone,omitempty" doc:"The body is past its retention: only its hash is left."`
}

// Bytes returns the body.
func (r *EventRequest) Bytes() []byte { return textOrBase64(r.Body, r.BodyBase64) }

// RawQuery returns the query.
func (r *EventRequest) RawQuery() string { return string(textOrBase64(r.Query, r.QueryBase64)) }

// Delivery is the delivery of an event to an endpoint.
type Delivery struct {
	ID              string              `json:"id" doc:"Its id: the event's id and eight hex digits."`
	EventID         uuid.UUID           `json:"event_id" doc:"Its event."`
	EventReceivedAt time.Time           `json:"event_received_at" doc:"When the event was received."`
	ReplayID        uuid.UUID           `json:"replay_id" doc:"Its replay; all zeros for live delivery."`
	Endpoint        string              `json:"endpoint" doc:"The endpoint's name; for a replay to a URL that URL, with the values of its query masked."`
	Subscriber      string              `json:"subscriber" doc:"Whom the event is about: BotHelp's id, else the messenger's, else the event's id."`
	State           event.DeliveryState `json:"state" doc:"Its state."`
	AttemptCount    uint32              `json:"attempt_count" doc:"How many attempts have begun."`
	FirstAttemptAt  time.Time           `json:"first_attempt_at,omitzero" doc:"When the first attempt began; absent before it, and for deliveries of older versions."`
	LastAttemptAt   time.Time           `json:"last_attempt_at,omitzero" doc:"When the last attempt began."`
	NextAt          time.Time           `json:"next_at,omitzero" doc:"The time of the next attempt."`
	Outcome         event.Outcome       `json:"outcome,omitempty" doc:"The outcome of the last attempt."`
	StatusCode      uint16              `json:"status_code,omitempty" doc:"The status of the last answer."`
	Answer          string              `json:"answer,omitempty" doc:"The first line of the last answer's body, at most 200 bytes."`
	Error           string              `json:"error,omitempty" doc:"Why the last attempt failed."`
	UpdatedAt       time.Time           `json:"updated_at" doc:"When it reached this state."`
	Waiting         *Waiting            `json:"waiting,omitempty" doc:"Why it waits; absent in a final state."`
	Attempts        []Attempt           `json:"attempts,omitzero" doc:"Every attempt, in order of time; not in lists."`
}

// Live reports whether it belongs to no replay.
func (d *Delivery) Live() bool { return d.ReplayID == uuid.Nil }

// Attempt is one request to an endpoint, and its answer.
type Attempt struct {
	ID                 uuid.UUID      `json:"id" doc:"Its id."`
	Number             uint32         `json:"number" doc:"1 is the first."`
	URL                string         `json:"url" doc:"The URL, with the values of its query masked."`
	StartedAt          time.Time      `json:"started_at" doc:"When it began."`
	DurationMS         float64        `json:"duration_ms" doc:"Its duration in milliseconds."`
	Outcome            event.Outcome  `json:"outcome" doc:"Its outcome."`
	StatusCode         uint16         `json:"status_code" doc:"The status of the answer; 0 without an answer."`
	Error              string         `json:"error,omitempty" doc:"Why it failed."`
	RequestHeaders     []event.Header `json:"request_headers,omitempty" doc:"The headers of the request. Values set by the configuration or the replay, and signatures, are masked. Absent if the process died during the attempt, and for attempts by versions that did not store them."`
	ResponseHeaders    []event.Header `json:"response_headers" doc:"The headers of the answer."`
	ResponseBody       string         `json:"response_body" doc:"The first 16 KiB of the answer's body, if they are UTF-8."`
	ResponseBodyBase64 string         `json:"response_body_base64,omitempty" doc:"The same in Base64, if they are not UTF-8."`
	TraceID            string         `json:"trace_id" doc:"Its trace, which links to the trace of the event's request."`

	Kind          event.AttemptKind `json:"kind" doc:"delivery, or forward for a request whose answer a bot waited for. Only forward has the following properties."`
	Fallback      event.Fallback    `json:"fallback,omitempty" doc:"Why the bot got the source's fallback; absent if it got the answer."`
	MissingKeys   []string          `json:"missing_keys,omitempty" doc:"The expected keys that the answer does not have."`
	ResponseBytes uint64            `json:"response_bytes,omitempty" doc:"The size of the whole answer's body."`
	OverheadMS    float64           `json:"overhead_ms,omitempty" doc:"The milliseconds from the end of the bot's request to the end of its answer that were not spent waiting for the endpoint."`
}

// Response returns the first 16 KiB of the answer's body.
func (a *Attempt) Response() []byte { return textOrBase64(a.ResponseBody, a.ResponseBodyBase64) }

// briefEvent returns an event without its request and deliveries, for lists.
func briefEvent(e *event.Event) Event {
	j := Event{ID: e.ID, ReceivedAt: e.ReceivedAt, StoredAt: e.StoredAt, Source: e.Source, Step: e.Step, Kind: e.Kind,
		Verdict: e.Verdict, RemoteIP: e.RemoteIP.String(), TraceID: hex.EncodeToString(e.TraceID[:]),
		Decoded: decodedTexts(&e.Decoded), Fields: e.Fields, DecodeError: e.DecodeError,
		DuplicateOf: e.DuplicateOf}
	if e.Acceptance.By != "" {
		j.Acceptance = &e.Acceptance
	}
	if j.Fields == nil {
		j.Fields = map[string]string{}
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

// WholeEvent returns an event with its request and deliveries.
func WholeEvent(e *event.Event, deliveries []Delivery) Event {
	j := briefEvent(e)
	j.Deliveries = deliveries
	if e.Verdict != event.Accepted {
		j.Rejection = rejectionOf(e)
	}
	j.Request = &EventRequest{Method: e.Method, Path: e.Path, Headers: notNil(e.Headers),
		BodySHA256: hex.EncodeToString(e.BodySHA256[:]), BodyGone: e.BodyGone()}
	j.Request.Query, j.Request.QueryBase64 = split([]byte(e.Query))
	j.Request.Body, j.Request.BodyBase64 = split(e.Body)
	return j
}

// deliveryJSON returns a delivery without its attempts.
func deliveryJSON(d event.Delivery) Delivery {
	j := Delivery{ID: d.ID().String(), EventID: d.EventID, EventReceivedAt: d.EventReceivedAt, ReplayID: d.ReplayID,
		Endpoint: replay.TargetName(d.Endpoint), Subscriber: d.Subscriber, State: d.State, AttemptCount: d.Attempts,
		FirstAttemptAt: d.FirstAttemptAt, LastAttemptAt: d.LastAttemptAt, Outcome: d.Outcome,
		StatusCode: d.StatusCode, Answer: d.Answer, Error: d.Error, UpdatedAt: d.UpdatedAt}
	if d.State == event.Retrying {
		j.NextAt = d.NextAt
	}
	return j
}

// deliveriesJSON adds the attempts of an event to its deliveries.
func deliveriesJSON(deliveries []event.Delivery, attempts []event.Attempt) []Delivery {
	list := []Delivery{}
	for _, d := range deliveries {
		j := deliveryJSON(d)
		j.Attempts = []Attempt{}
		for _, a := range attempts {
			if a.ReplayID == d.ReplayID && a.Endpoint == d.Endpoint && a.Kind != event.AttemptForward {
				j.Attempts = append(j.Attempts, WholeAttempt(a))
			}
		}
		list = append(list, j)
	}
	return list
}

// WholeAttempt returns an attempt with its headers and bodies.
func WholeAttempt(a event.Attempt) Attempt {
	j := Attempt{ID: a.ID, Number: a.Number, URL: MaskedURL(a.URL), StartedAt: a.StartedAt,
		DurationMS: milliseconds(a.Duration), Outcome: a.Outcome, StatusCode: a.StatusCode, Error: a.Error,
		RequestHeaders: a.RequestHeaders, ResponseHeaders: notNil(a.ResponseHeaders),
		TraceID: hex.EncodeToString(a.TraceID[:]),
		Kind:    a.Kind, Fallback: a.Fallback, MissingKeys: a.MissingKeys, ResponseBytes: a.ResponseBytes,
		OverheadMS: milliseconds(a.Overhead)}
	j.ResponseBody, j.ResponseBodyBase64 = split(a.ResponseBody)
	return j
}

func notNil(headers []event.Header) []event.Header {
	if headers == nil {
		return []event.Header{}
	}
	return headers
}

// split returns bytes as text if they are UTF-8, else in Base64.
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
	b, _ := base64.StdEncoding.DecodeString(base) // the output of split; anything else is empty
	return b
}

// DecodedNames are the names in Event.Decoded, in the order of display.
var DecodedNames = []string{"event_at", "bothelp_user_id", "messenger_user_id", "messenger_username", "cuid", "ref",
	"name", "first_name", "last_name", "email", "phone", "profile_link", "channel", "conversations_count", "created_at",
	"first_contact_at", "last_contact_at", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term"}

var decodedColumns = columnsOf(itself[event.Decoded], DecodedNames...)

// decodedTexts returns the known fields of a body as text, by name, without empty ones.
func decodedTexts(d *event.Decoded) map[string]string {
	texts := map[string]string{}
	for _, c := range decodedColumns {
		if text, _ := c.value(d).(string); text != "" {
			texts[c.name] = text
		}
	}
	return texts
}
