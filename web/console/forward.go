package console

import (
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/web/api"
)

// Forward is how a source answers the bots that wait for its endpoint.
type Forward struct {
	// Expect has the paths of the keys that BotHelp reads from an answer.
	Expect []string
	// Status, Headers and Body are those of the fallback.
	Status  int
	Headers []event.Header
	Body    string
}

// forwarded is the request and the response of an event for whose answer a bot waited.
type forwarded struct {
	api.Forward
	Started  moment
	Waited   string // by the bot
	Backend  string // the part of it for the endpoint
	Hooktape string // the part of it for hooktape
	Method   string
	Path     string
	Query    string
	Sent     body
	Answer   body
	Lost     uint64       // bytes of the answer that are not stored
	Instead  *botFallback // nil: the bot got the answer
	Values   []readValue
	Expects  bool // the source has a list of keys
}

// botFallback is the fallback as it is configured now.
type botFallback struct {
	Status  string
	Headers []event.Header
	Body    body
}

// readValue is what BotHelp reads at a path of the answer.
type readValue struct {
	Path    string
	Value   string
	Missing bool
	Unknown bool // the stored part of the answer does not say
}

// Verdict returns what the bot got, as a label.
func (f forwarded) Verdict() label {
	switch {
	case f.Fallback != "":
		return label{"fallback", "bad"}
	case f.Outcome == event.OutcomeUnknown:
		return label{"unknown", "doubt"}
	case f.Outcome == event.OutcomeBroken || f.Outcome == event.OutcomeTimeout:
		return label{"broken off", "bad"}
	case f.Outcome.OK():
		return label{f.StatusText(), "good"}
	}
	return label{f.StatusText(), "doubt"}
}

// StatusText returns the status of the endpoint's answer, such as "404 Not Found"; "" without one.
func (f forwarded) StatusText() string { return statusText(f.StatusCode) }

// Why says in a sentence why the bot did not get the endpoint's whole answer; "" if it did.
func (f forwarded) Why() string {
	if f.Fallback != "" {
		return "The bot got the fallback: " + fallbackWords[f.Fallback] + "."
	}
	switch f.Outcome {
	case event.OutcomeUnknown:
		return "hooktape was stopped before it could record the answer. What the bot got is unknown."
	case event.OutcomeBroken, event.OutcomeTimeout:
		return "The answer broke off. The bot got its beginning."
	}
	return ""
}

// Detail returns the error of a fallback, unless Why says the same: hooktape itself did not send the request.
func (f forwarded) Detail() string {
	if f.Fallback == event.FallbackFailing || f.Fallback == event.FallbackInFlight {
		return ""
	}
	return f.Error
}

// Remark returns the error of an answer without its status, which the page shows already.
func (f forwarded) Remark() string {
	return strings.TrimPrefix(strings.TrimPrefix(f.Error, "answered "+f.StatusText()), "; ")
}

// fallbackWords has the reasons of a fallback.
var fallbackWords = map[event.Fallback]string{
	event.FallbackDeadline: "the endpoint did not answer within the deadline",
	event.FallbackRefused:  "hooktape could not connect to the endpoint",
	event.FallbackFailing:  "the endpoint is failing (its breaker was open), so hooktape did not send the request",
	event.FallbackInFlight: "too many requests were waiting for their answer (max_in_flight), so hooktape did not " +
		"send this one",
	event.FallbackError: "the endpoint did not send a valid answer",
}

// forwarded returns the external request of an event; nil if no bot waited for an answer.
func (v *visit) forwarded(e api.Event, sent body) *forwarded {
	if e.Forward == nil {
		return nil
	}
	response := e.Forward.Response()
	f := &forwarded{Forward: *e.Forward, Started: v.at(e.Forward.StartedAt),
		Waited:  span(milliseconds(e.Forward.DurationMS + e.Forward.OverheadMS)),
		Backend: span(milliseconds(e.Forward.DurationMS)), Hooktape: span(milliseconds(e.Forward.OverheadMS)),
		Method: e.Request.Method, Path: e.Request.Path, Query: e.Request.RawQuery(), Sent: sent,
		Answer: bodyOf(response, "", true)}
	f.Lost = max(f.ResponseBytes, uint64(len(response))) - uint64(len(response))
	read, whole := unzipped(f.ResponseHeaders, response)
	whole = whole && f.Lost == 0 && f.Outcome != event.OutcomeUnknown
	var expect []string
	if i := slices.IndexFunc(v.Sources(), func(s Source) bool {
		return s.Name == e.Source && s.Forward != nil
	}); i >= 0 {
		now := v.Sources()[i].Forward
		expect = now.Expect
		if f.Fallback != "" {
			f.Instead = &botFallback{statusText(uint16(now.Status)), now.Headers, bodyOf([]byte(now.Body), "", true)}
			read, whole = []byte(now.Body), true
		}
	}
	f.Expects = len(expect) > 0
	f.Values = valuesOf(read, whole, expect, e.MissingKeys)
	return f
}

// valuesOf returns what BotHelp reads from an answer: at the expected paths, and at those that were expected and
// missing at the time. If the answer is not whole, a value that it does not have is unknown.
func valuesOf(answer []byte, whole bool, expect, missing []string) (list []readValue) {
	for _, text := range slices.Concat(expect, missing) {
		if slices.ContainsFunc(list, func(r readValue) bool { return r.Path == text }) {
			continue
		}
		path, err := bothelp.ParseKeyPath(text)
		if err != nil {
			continue // it was valid in an earlier configuration
		}
		value, ok := path.In(answer)
		r := readValue{Path: text, Missing: !ok && (whole || slices.Contains(missing, text))}
		r.Unknown = !ok && !r.Missing
		if ok {
			r.Value = valueText(value)
		}
		list = append(list, r)
	}
	return list
}

// maxUnzipped bounds the bytes of a stored answer that is unzipped.
const maxUnzipped = 1 << 20

// unzipped returns a stored answer without its Content-Encoding, and whether it is all of it.
func unzipped(headers []event.Header, stored []byte) (text []byte, whole bool) {
	encoding := ""
	for _, h := range headers {
		if strings.EqualFold(h.Name, "Content-Encoding") {
			encoding = h.Value
		}
	}
	plain, err := outbound.Plain(encoding, stored)
	if err != nil {
		return nil, false
	}
	text, err = io.ReadAll(io.LimitReader(plain, maxUnzipped+1))
	return text, err == nil && len(text) <= maxUnzipped
}

// valueText returns a string as it is, and another JSON value as compact JSON.
func valueText(value jsontext.Value) string {
	if value.Kind() == '"' {
		text, _ := jsontext.AppendUnquote(nil, value) // invalid UTF-8 is replaced
		return string(text)
	}
	value = value.Clone()
	_ = value.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)) // it is valid
	return string(value)
}
