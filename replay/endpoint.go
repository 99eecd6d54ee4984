package replay

import (
	"time"

	"hooktape/internal/event"
)

// Endpoint is where events are delivered to, and how.
//
// Its tags are the keys of the configuration; [Endpoint.Validate] speaks of it by those keys. Two equal
// endpoints (by reflect.DeepEqual) deliver alike, so that a changed configuration shows by comparison.
type Endpoint struct {
	Name string `yaml:"name"` // in every delivery; with the event's id it makes the Idempotency-Key
	URL  string `yaml:"url" secret:"url"`
	// Subscribe says which events are delivered as they arrive; nil: none, the endpoint is for replays only.
	Subscribe *Subscription `yaml:"subscribe"`
	// Headers go out in place of the event's own of the same name.
	Headers []event.Header `yaml:"-"`
	// DropHeaders are names of the event's headers that are not sent, besides those that never are.
	DropHeaders []string `yaml:"drop_headers"`
	// KeepHeaders are names of the event's headers that are sent although proxies add them or they may hold a secret of the
	// event's sender: Authorization, Cookie.
	KeepHeaders []string `yaml:"keep_headers"`
	// Timeout bounds a whole attempt, from resolving the name to the last byte of the answer.
	Timeout     time.Duration  `yaml:"timeout"`
	Rate        float64        `yaml:"rate"`        // requests a second, live; 0 is without a limit
	Concurrency int            `yaml:"concurrency"` // requests at once, live
	Order       event.Order    `yaml:"order"`
	Retry       RetryPolicy    `yaml:"retry"`
	Breaker     BreakerOptions `yaml:"breaker"`
	Sign        SigningOptions `yaml:"-"`
	// AllowPrivate lets deliveries go to loopback, private and link-local addresses.
	AllowPrivate bool       `yaml:"allow_private"`
	TLS          TLSOptions `yaml:"tls"`

	adHoc      bool // made of a URL alone; no configuration names it
	publicOnly bool // for somebody for whom replay.allow_private does not count
}

// Subscription names the events that an endpoint gets as they arrive: those that match every field that is set, and of
// a field any of its values. One without fields is everything.
type Subscription struct {
	Sources []string     `yaml:"sources"`
	Steps   []string     `yaml:"steps"`
	Kinds   []event.Kind `yaml:"kinds"`
}

// BreakerOptions say when an endpoint is taken for broken, and how its return is noticed.
type BreakerOptions struct {
	Failures   int           `yaml:"failures"`    // attempts failed in a row; 0 never
	ProbeAfter time.Duration `yaml:"probe_after"` // until the first attempt after that
	ProbeMax   time.Duration `yaml:"probe_max"`   // the wait doubles up to this
}

// SigningOptions make requests verifiable as Standard Webhooks describes it (https://www.standardwebhooks.com).
type SigningOptions struct {
	// Secrets are written as whsec_ and base64. Each makes a signature, so that a secret can be changed while the
	// receiver knows only one of two. None: requests are not signed.
	Secrets []string
}

// TLSOptions are files in PEM, read once, when the endpoint is taken into use.
type TLSOptions struct {
	// CAFile holds the authorities to trust in place of the system's: who names one means that no other will do.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are the client certificate.
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	ServerName string `yaml:"server_name"` // to expect in the endpoint's certificate in place of the URL's host
}

// DefaultEndpoint is an endpoint about which no more than this was said.
func DefaultEndpoint(name, url string) Endpoint {
	return Endpoint{
		Name: name, URL: url, Timeout: 10 * time.Second, Concurrency: 4, Order: event.OrderNone, Retry: DefaultRetry(),
		Breaker: BreakerOptions{Failures: 10, ProbeAfter: 10 * time.Second, ProbeMax: 5 * time.Minute},
	}
}

// AdHoc is the endpoint of a replay to a URL that the configuration does not know. Its retries are over within minutes,
// for somebody waits for them.
func AdHoc(url string, allowPrivate bool) Endpoint {
	e := DefaultEndpoint(adHocName(url), url)
	e.Retry.Schedule = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
	e.AllowPrivate, e.adHoc = allowPrivate, true
	return e
}

// toPublic is the endpoint for somebody for whom replay.allow_private does not count. A configured endpoint stays as it is.
func (e Endpoint) toPublic() Endpoint {
	if e.adHoc {
		e.AllowPrivate, e.publicOnly = false, true
	}
	return e
}

// privateKey is the setting that lets deliveries to this endpoint go to private addresses, in words.
func (e *Endpoint) privateKey() string {
	switch {
	case e.publicOnly:
		return "for the role admin and the local command line, replay.allow_private"
	case e.adHoc:
		return "replay.allow_private"
	}
	return "allow_private of the endpoint " + e.Name
}
