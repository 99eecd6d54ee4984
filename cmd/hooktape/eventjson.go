package main

import (
	"encoding/base64"
	"encoding/hex"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"hooktape/event"
)

// eventJSON is an event as scripts read it. Names are those of the columns in ClickHouse.
type eventJSON struct {
	ID          uuid.UUID         `json:"id"`
	ReceivedAt  time.Time         `json:"received_at"`
	StoredAt    time.Time         `json:"stored_at"`
	Source      string            `json:"source"`
	Step        string            `json:"step"`
	Kind        event.Kind        `json:"kind"`
	Verdict     event.Verdict     `json:"verdict"`
	RemoteIP    string            `json:"remote_ip"`
	TraceID     string            `json:"trace_id"`
	DuplicateOf *uuid.UUID        `json:"duplicate_of,omitempty"`
	Decoded     map[string]string `json:"decoded"`
	Fields      map[string]string `json:"fields"`
	DecodeError string            `json:"decode_error,omitempty"`

	Request    *requestJSON   `json:"request,omitempty"`
	Deliveries []deliveryJSON `json:"deliveries,omitempty"`
}

type requestJSON struct {
	Method     string       `json:"method"`
	Path       string       `json:"path"`
	Query      string       `json:"query"`
	Headers    []headerJSON `json:"headers"`
	BodySHA256 string       `json:"body_sha256"`
	// Body is the text; BodyBase64 stands in its place where the bytes are no UTF-8.
	Body       string `json:"body,omitempty"`
	BodyBase64 string `json:"body_base64,omitempty"`
}

type headerJSON struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type deliveryJSON struct {
	ReplayID uuid.UUID           `json:"replay_id"`
	Endpoint string              `json:"endpoint"`
	State    event.DeliveryState `json:"state"`
	NextAt   *time.Time          `json:"next_at,omitempty"`
	Attempts []attemptJSON       `json:"attempts"`
}

type attemptJSON struct {
	ID              uuid.UUID     `json:"id"`
	Number          uint32        `json:"number"`
	URL             string        `json:"url"`
	StartedAt       time.Time     `json:"started_at"`
	DurationMS      float64       `json:"duration_ms"`
	Outcome         event.Outcome `json:"outcome"`
	StatusCode      uint16        `json:"status_code"`
	Error           string        `json:"error,omitempty"`
	ResponseHeaders []headerJSON  `json:"response_headers"`
	ResponseBody    string        `json:"response_body"`
	TraceID         string        `json:"trace_id"`
}

func briefJSON(e *event.Event) eventJSON {
	j := eventJSON{ID: e.ID, ReceivedAt: e.ReceivedAt, StoredAt: e.StoredAt, Source: e.Source, Step: e.Step, Kind: e.Kind,
		Verdict: e.Verdict, RemoteIP: e.RemoteIP.String(), TraceID: hex.EncodeToString(e.TraceID[:]),
		Decoded: map[string]string{}, Fields: e.Fields, DecodeError: e.DecodeError}
	if e.DuplicateOf != uuid.Nil {
		j.DuplicateOf = &e.DuplicateOf
	}
	for _, f := range knownFields(e, func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }) {
		j.Decoded[f[0]] = f[1]
	}
	return j
}

func wholeJSON(e *event.Event, deliveries []event.Delivery, attempts []event.Attempt) eventJSON {
	j := briefJSON(e)
	j.Request = &requestJSON{Method: e.Method, Path: e.Path, Query: e.Query, Headers: headersJSON(e.Headers),
		BodySHA256: hex.EncodeToString(e.BodySHA256[:])}
	if utf8.Valid(e.Body) {
		j.Request.Body = string(e.Body)
	} else {
		j.Request.BodyBase64 = base64.StdEncoding.EncodeToString(e.Body)
	}
	for _, d := range deliveries {
		dj := deliveryJSON{ReplayID: d.ReplayID, Endpoint: d.Endpoint, State: d.State, Attempts: []attemptJSON{}}
		if d.State == event.Retrying {
			dj.NextAt = &d.NextAt
		}
		for _, a := range attemptsAt(d, attempts) {
			dj.Attempts = append(dj.Attempts, attemptJSON{ID: a.ID, Number: a.Number, URL: a.URL, StartedAt: a.StartedAt,
				DurationMS: float64(a.Duration) / float64(time.Millisecond), Outcome: a.Outcome, StatusCode: a.StatusCode,
				Error: a.Error, ResponseHeaders: headersJSON(a.ResponseHeaders), ResponseBody: string(a.ResponseBody),
				TraceID: hex.EncodeToString(a.TraceID[:])})
		}
		j.Deliveries = append(j.Deliveries, dj)
	}
	return j
}

// attemptsAt picks the attempts of one delivery.
func attemptsAt(d event.Delivery, attempts []event.Attempt) (list []event.Attempt) {
	for _, a := range attempts {
		if a.ReplayID == d.ReplayID && a.Endpoint == d.Endpoint {
			list = append(list, a)
		}
	}
	return list
}

func headersJSON(headers []event.Header) []headerJSON {
	list := make([]headerJSON, len(headers))
	for i, h := range headers {
		list[i] = headerJSON{h.Name, h.Value}
	}
	return list
}
