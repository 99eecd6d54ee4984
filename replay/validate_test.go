package replay

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/setting"
)

func TestDefaultsAreValid(t *testing.T) {
	quick := adHoc("http://127.0.0.1:9000/", true)
	quick.Name = "quick" // a URL is not valid as a name in the configuration
	for _, e := range []Endpoint{DefaultEndpoint("crm", "https://crm.example.org/hooks"), quick} {
		if err := e.Validate(); err != nil {
			t.Error(err)
		}
	}
	if e := adHoc("http://h/", false); e.Name != e.URL || len(e.Retry.Schedule) != 4 || e.AllowPrivate {
		t.Errorf("got the endpoint %+v", e)
	}
}

// TestValidateNamesTheKey verifies that each fault is reported with its key.
func TestValidateNamesTheKey(t *testing.T) {
	const secret = "s3cret-s3cret"
	for _, c := range []struct {
		key    string
		change func(*Endpoint)
		text   string
	}{
		{"name", func(e *Endpoint) { e.Name = "" }, `"" must be lower-case`},
		{"name", func(e *Endpoint) { e.Name = "Crm" }, `"Crm" must be lower-case`},
		{"name", func(e *Endpoint) { e.Name = e.URL }, "must be lower-case"},
		{"name", func(e *Endpoint) { e.Name = strings.Repeat("a", 65) }, "at most 64"},
		{"url", func(e *Endpoint) { e.URL = "crm.example.org/?t=" + secret }, "must begin with http:// or https://"},
		{"url", func(e *Endpoint) {
			e.URL = "https://u:" + secret + "@crm.example.org/"
		}, "must have no user and password"},
		{"subscribe.kinds[1]", func(e *Endpoint) {
			e.Subscribe = &Subscription{Kinds: []event.Kind{event.KindFlow, "flows"}}
		}, `invalid kind "flows": want one of [flow`},
		{"headers[0]", func(e *Endpoint) {
			e.Headers = []event.Header{{Name: "Host", Value: secret}}
		}, "Host is written by"},
		{"headers[1]", func(e *Endpoint) {
			e.Headers = []event.Header{{Name: "A"}, {Name: "X-Key", Value: secret + "\n"}}
		}, "the value of X-Key"},
		{"timeout", func(e *Endpoint) { e.Timeout = 0 }, "must be more than 0"},
		{"timeout", func(e *Endpoint) { e.Timeout = time.Hour }, "at most 10m"},
		{"rate", func(e *Endpoint) { e.Rate = -1 }, "0 for no limit"},
		{"rate", func(e *Endpoint) { e.Rate = math.NaN() }, "0 for no limit"},
		{"rate", func(e *Endpoint) { e.Rate = math.Inf(1) }, "0 for no limit"},
		{"concurrency", func(e *Endpoint) { e.Concurrency = 0 }, "between 1 and 1024"},
		{"concurrency", func(e *Endpoint) { e.Concurrency = 2000 }, "between 1 and 1024"},
		{"order", func(e *Endpoint) { e.Order = "strict" }, `invalid order "strict": want none or subscriber`},
		{"retry.schedule", func(e *Endpoint) { e.Retry.Schedule = nil }, "must have a step"},
		{"retry.schedule[1]", func(e *Endpoint) { e.Retry.Schedule = []time.Duration{1, 0} }, "more than 0"},
		{"retry.max_attempts", func(e *Endpoint) { e.Retry.MaxAttempts = -1 }, "between 1 and"},
		{"retry.max_age", func(e *Endpoint) { e.Retry.MaxAge = -1 }, "negative"},
		{"retry_on[0]", func(e *Endpoint) { e.Retry.On = []string{"200"} }, `"200" must be`},
		{"retry_on[1]", func(e *Endpoint) { e.Retry.On = []string{"408", "2xx"} }, `"2xx" must be`},
		{"retry_on[0]", func(e *Endpoint) { e.Retry.On = []string{"6xx"} }, `"6xx" must be`},
		{"retry_on[0]", func(e *Endpoint) { e.Retry.On = []string{"+50"} }, `"+50" must be`},
		{"retry_on[0]", func(e *Endpoint) { e.Retry.On = []string{"timeout"} }, `"timeout" must be`},
		{"breaker.failures", func(e *Endpoint) { e.Breaker.Failures = -1 }, "0 for never"},
		{"breaker.probe_after", func(e *Endpoint) { e.Breaker.ProbeAfter = 0 }, "more than 0"},
		{"breaker.probe_max", func(e *Endpoint) { e.Breaker.ProbeMax = time.Second }, "less than probe_after"},
		{"sign.secrets[1]", func(e *Endpoint) {
			e.Sign.Secrets = []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", secret}
		}, "must be whsec_"},
		{"tls.ca_file", func(e *Endpoint) { e.TLS.CAFile = "/nowhere" }, "open /nowhere"},
	} {
		e := DefaultEndpoint("crm", "https://crm.example.org/hooks")
		c.change(&e)
		err := e.Validate()
		joined, ok := err.(interface{ Unwrap() []error })
		if !ok || len(joined.Unwrap()) != 1 {
			t.Errorf("%s: %v", c.key, err)
			continue
		}
		fault, ok := errors.AsType[*setting.Fault](joined.Unwrap()[0])
		if !ok || fault.Key != c.key || !strings.Contains(fault.Text, c.text) || strings.Contains(fault.Text, secret) {
			t.Errorf("%s: %v; want %s", c.key, err, c.text)
		}
	}
}

func TestValidateReportsAllFaults(t *testing.T) {
	e := Endpoint{}
	err := e.Validate()
	for _, key := range []string{"name", "url", "timeout", "concurrency", "order", "retry.schedule"} {
		if !strings.Contains(fmt.Sprint(err), key+": ") {
			t.Errorf("no fault reported for %s: %v", key, err)
		}
	}
}
