package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/setting"
	"hooktape/internal/store"
)

// Endpoint is a receiver of events, and how they are delivered to it.
//
// Its tags are the keys of the configuration, and [Endpoint.Validate] reports faults by those keys. Two endpoints that
// are equal by reflect.DeepEqual deliver alike.
type Endpoint struct {
	outbound.Endpoint `yaml:",inline"`

	// Subscribe says which events are delivered as they arrive. With nil the endpoint gets replays only.
	Subscribe   *Subscription           `yaml:"subscribe"`
	Rate        float64                 `yaml:"rate"`        // live requests a second; 0 is no limit
	Concurrency int                     `yaml:"concurrency"` // live requests at once
	Order       event.Order             `yaml:"order"`
	Retry       RetryPolicy             `yaml:"retry"`
	Breaker     outbound.BreakerOptions `yaml:"breaker"`
}

// Subscription selects the events that an endpoint gets as they arrive.
type Subscription = store.Subscription

// DefaultEndpoint returns an endpoint with the default settings.
func DefaultEndpoint(name, url string) Endpoint {
	return Endpoint{
		Endpoint:    outbound.Endpoint{Name: name, URL: url, Timeout: 10 * time.Second},
		Concurrency: 4, Order: event.OrderNone, Retry: DefaultRetry(),
		Breaker: outbound.BreakerOptions{Failures: 10, ProbeAfter: 10 * time.Second, ProbeMax: 5 * time.Minute},
	}
}

// adHoc returns the endpoint of a replay to a URL that the configuration does not name. Its retries end within minutes,
// because someone waits for them.
func adHoc(url string, allowPrivate bool) Endpoint {
	e := DefaultEndpoint(adHocName(url), url)
	e.Retry.Schedule = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
	e.AllowPrivate, e.PrivateSetting = allowPrivate, "replay.allow_private"
	return e
}

// isAdHoc reports whether the endpoint is not of the configuration.
func (e *Endpoint) isAdHoc() bool { return isAdHoc(e.Name) }

// isAdHoc reports whether an endpoint's name is that of a URL.
func isAdHoc(name string) bool { return strings.Contains(name, "://") }

// toPublic returns the endpoint for a replay whose maker may not use replay.allow_private. A configured endpoint stays
// unchanged.
func (e Endpoint) toPublic() Endpoint {
	if e.isAdHoc() {
		e.AllowPrivate = false
		e.PrivateSetting = "for the role admin and the local command line, replay.allow_private"
	}
	return e
}

// replayURL returns the URL that a replay stores: the whole one for an ad-hoc endpoint, because nothing else has it,
// and otherwise the one that may be shown.
func (e *Endpoint) replayURL() string {
	if e.isAdHoc() {
		return e.URL
	}
	return e.StoredURL()
}

// findEndpoint returns the endpoint with a name, or makes an ad-hoc one of a URL. Its errors are an [InvalidError].
func findEndpoint(endpoints []Endpoint, allowPrivate bool, name, rawURL string) (Endpoint, error) {
	if i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Name == name }); i >= 0 {
		return endpoints[i], nil
	}
	if strings.Contains(rawURL, "://") {
		clean, err := outbound.CleanURL(rawURL)
		if err != nil {
			return Endpoint{}, invalid("%v", err)
		}
		e := adHoc(clean, allowPrivate)
		if e.Name == clean && strings.Contains(clean, "#") {
			return Endpoint{}, invalid("%s is a name without the secrets of the URL's query: give the whole URL", clean)
		}
		return e, nil
	}
	if len(endpoints) == 0 {
		return Endpoint{}, invalid("there is no endpoint %q: none is configured; "+
			"give a URL, or add it to endpoints in the configuration", name)
	}
	known := strings.Join(namesOf(endpoints), ", ")
	return Endpoint{}, invalid("there is no endpoint %q; the configuration has %s; a URL works as well", name, known)
}

func namesOf(endpoints []Endpoint) (names []string) {
	for _, e := range endpoints {
		names = append(names, e.Name)
	}
	return names
}

// TargetName returns the name that deliveries to an endpoint have: a configured name unchanged, for a URL the URL with
// the secrets of its query masked and a hash that tells it from others. The name of a URL stays unchanged, even one of
// an older version.
func TargetName(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		return endpoint
	}
	if clean, err := outbound.CleanURL(endpoint); err == nil {
		endpoint = clean
	}
	return adHocName(endpoint)
}

// adHocName returns the name of the endpoint of a URL. The name is in every row, so it must not contain the secrets of
// the query. It identifies the endpoint, so it must differ where the URL does: ?action=lead and ?action=deal are two
// endpoints. Hence it is the masked URL and the beginning of the URL's SHA-256. These 32 bits tell URLs apart. They do
// not reveal a secret of the usual length, but whoever guesses a short one can check the guess.
func adHocName(url string) string {
	stored := outbound.MaskQuery(url)
	sent, fragment, _ := strings.Cut(url, "#")
	switch {
	case stored != sent:
		sum := sha256.Sum256([]byte(sent))
		return stored + "#" + hex.EncodeToString(sum[:nameHash])
	case strings.Contains(sent, "?") && isNameHash(fragment):
		return url
	}
	return stored
}

// nameHash is the number of bytes of a hash in a name.
const nameHash = 4

func isNameHash(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == nameHash
}

const maxConcurrency = 1024

// Validate returns all faults together: its error joins a [*setting.Fault] for each. It reads the files that TLS names.
func (e *Endpoint) Validate() error {
	f := e.Faults()
	if e.Subscribe != nil {
		for i, kind := range e.Subscribe.Kinds {
			f.Unless(slices.Contains(event.Kinds, kind), fmt.Sprintf("subscribe.kinds[%d]", i),
				"invalid kind %q: want one of %v", kind, event.Kinds)
		}
	}
	f.Unless(e.Rate >= 0 && !math.IsInf(e.Rate, 0), "rate", "must be a number of requests a second, or 0 for no limit")
	f.Unless(e.Concurrency >= 1 && e.Concurrency <= maxConcurrency, "concurrency",
		"must be between 1 and %d", maxConcurrency)
	f.Unless(e.Order == event.OrderNone || e.Order == event.OrderSubscriber, "order",
		"invalid order %q: want %s or %s", e.Order, event.OrderNone, event.OrderSubscriber)
	e.Retry.validate(&f)
	validateBreaker(e.Breaker, &f)
	return errors.Join(f...)
}

func validateBreaker(b outbound.BreakerOptions, f *setting.Faults) {
	f.Unless(b.Failures >= 0, "breaker.failures", "must be a number of failed attempts, or 0 for never")
	f.Unless(b.Failures == 0 || b.ProbeAfter > 0, "breaker.probe_after", "must be more than 0")
	f.Unless(b.Failures == 0 || b.ProbeMax >= b.ProbeAfter, "breaker.probe_max", "must not be less than probe_after")
}

// InvalidError reports that a request cannot be met, and why, in words for the person who made it.
type InvalidError struct{ Text string }

// Error implements error.
func (e *InvalidError) Error() string { return e.Text }

func invalid(format string, args ...any) error { return &InvalidError{fmt.Sprintf(format, args...)} }
