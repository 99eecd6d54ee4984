package ingest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/setting"
)

// Forward makes a source answer BotHelp's External Request: each accepted request is forwarded to an endpoint, whose
// answer goes back to the bot. The tags are the keys of the configuration.
type Forward struct {
	To string `yaml:"to"` // the endpoint's name
	// Deadline bounds the time from the end of the request to the end of the answer. At the deadline the bot gets
	// Fallback, or the answer breaks off.
	Deadline time.Duration `yaml:"deadline"`
	Fallback Answer        `yaml:"fallback"`
	// Append lists the parts of the request's URL that are appended to the endpoint's: path (what follows the token),
	// query.
	Append []string `yaml:"append"`
	// Expect lists paths of keys, such as price or items[0].id, that the endpoint's JSON answers should have.
	Expect []string `yaml:"expect"`
	// MaxInFlight bounds the requests that wait for their answer. Further ones get Fallback at once.
	MaxInFlight int `yaml:"max_in_flight"`
	// MaxAnswer bounds the bytes of an answer that are kept in memory to look for Expect. A longer answer reaches the
	// bot whole, and nothing is expected of it.
	MaxAnswer int64 `yaml:"max_answer"`

	Endpoint outbound.Endpoint       `yaml:"-"` // that To names
	Breaker  outbound.BreakerOptions `yaml:"-"` // of the endpoint
}

// Answer is an HTTP response that does not come from an endpoint.
type Answer struct {
	Status  int            `yaml:"status"`
	Headers []event.Header `yaml:"headers"`
	Body    string         `yaml:"body"`
}

// The parts of a URL that Forward.Append may list.
const (
	appendPath  = "path"
	appendQuery = "query"
)

// maxDeadline is far more than anybody waits for a bot's next message.
const maxDeadline = 2 * time.Minute

// maxInFlight bounds Forward.MaxInFlight: each request holds two connections.
const maxInFlight = 4096

// DefaultForward returns the defaults of Forward.
func DefaultForward() Forward {
	return Forward{Deadline: 8 * time.Second, MaxInFlight: 256, MaxAnswer: 1 << 20,
		Fallback: Answer{Status: 200, Body: "{}"}}
}

// UnmarshalYAML sets the defaults before it decodes, so a zero in the file stays a zero.
func (f *Forward) UnmarshalYAML(unmarshal func(any) error) error {
	*f = DefaultForward()
	type plain Forward // without this method
	return unmarshal((*plain)(f))
}

// Validate returns all errors together: it joins a [*setting.Fault] for each invalid setting.
func (f *Forward) Validate() error {
	var faults setting.Faults
	faults.Unless(f.To != "", "to", "must be the name of an endpoint")
	faults.Unless(f.Deadline > 0 && f.Deadline <= maxDeadline, "deadline", "must be more than 0 and at most %s",
		maxDeadline)
	faults.Unless(f.MaxInFlight >= 1 && f.MaxInFlight <= maxInFlight, "max_in_flight", "must lie between 1 and %d",
		maxInFlight)
	faults.Unless(f.MaxAnswer >= outbound.KeptBytes &&
		f.MaxAnswer <= 16<<20, "max_answer", "must lie between 16KiB and 16MiB")
	for i, part := range f.Append {
		faults.Unless(part == appendPath || part == appendQuery, fmt.Sprintf("append[%d]", i),
			"%q is neither %s nor %s", part, appendPath, appendQuery)
	}
	for i, text := range f.Expect {
		_, err := bothelp.ParseKeyPath(text)
		faults.Err(fmt.Sprintf("expect[%d]", i), err)
	}
	f.Fallback.validate(&faults)
	return errors.Join(faults...)
}

// MissingInFallback returns the paths of Expect that the fallback lacks. BotHelp keeps the old value of a missing key.
func (f *Forward) MissingInFallback() []string {
	return bothelp.MissingKeys(f.Expect, []byte(f.Fallback.Body))
}

func (a *Answer) validate(faults *setting.Faults) {
	faults.Unless(a.Status >= 200 && a.Status <= 599, "fallback.status", "must lie between 200 and 599")
	for i, h := range a.Headers {
		key := fmt.Sprintf("fallback.headers[%d]", i)
		faults.Unless(httpguts.ValidHeaderFieldName(h.Name) && httpguts.ValidHeaderFieldValue(h.Value), key,
			"%q is not a valid header", h.Name)
		faults.Unless(!outbound.IsHopHeader(h.Name), key, "%s is written by the HTTP server itself", h.Name)
	}
}

// appends reports whether a part of the request's URL is appended to the endpoint's.
func (f *Forward) appends(part string) bool { return slices.Contains(f.Append, part) }
