package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hooktape/event"
	"hooktape/replay"
)

// endpointConfig is one of endpoints.
type endpointConfig struct {
	Name        string           `yaml:"name"`
	URL         string           `yaml:"url" secret:"url"`
	Subscribe   *subscribeConfig `yaml:"subscribe"`
	Headers     []headerConfig   `yaml:"headers"`
	DropHeaders []string         `yaml:"drop_headers"`
	KeepHeaders []string         `yaml:"keep_headers"`
	Timeout     duration         `yaml:"timeout"`
	Rate        float64          `yaml:"rate"`
	Concurrency int              `yaml:"concurrency"`
	Order       event.Order      `yaml:"order"`
	Retry       retryConfig      `yaml:"retry"`
	RetryOn     []string         `yaml:"retry_on"`
	Breaker     breakerConfig    `yaml:"breaker"`
	Sign        struct {
		Secrets []secretConfig `yaml:"secrets"`
	} `yaml:"sign"`
	AllowPrivate bool      `yaml:"allow_private"`
	TLS          tlsConfig `yaml:"tls"`
}

type subscribeConfig struct {
	Sources []string     `yaml:"sources"`
	Steps   []string     `yaml:"steps"`
	Kinds   []event.Kind `yaml:"kinds"`
}

type headerConfig struct {
	Name      string `yaml:"name"`
	Value     string `yaml:"value" secret:""`
	ValueFile string `yaml:"value_file"`
}

type secretConfig struct {
	Value     string `yaml:"value" secret:""`
	ValueFile string `yaml:"value_file"`
}

type retryConfig struct {
	Schedule    []duration `yaml:"schedule"`
	MaxAttempts int        `yaml:"max_attempts"`
	MaxAge      duration   `yaml:"max_age"`
}

type breakerConfig struct {
	Failures   int      `yaml:"failures"`
	ProbeAfter duration `yaml:"probe_after"`
	ProbeMax   duration `yaml:"probe_max"`
}

type tlsConfig struct {
	CAFile     string `yaml:"ca_file"`
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	ServerName string `yaml:"server_name"`
}

// UnmarshalYAML puts the defaults where the file says nothing, so that a zero is what somebody has written.
func (e *endpointConfig) UnmarshalYAML(unmarshal func(any) error) error {
	d := replay.DefaultEndpoint("", "")
	*e = endpointConfig{Timeout: duration(d.Timeout), Rate: d.Rate, Concurrency: d.Concurrency, Order: d.Order, RetryOn: d.Retry.On,
		Breaker: breakerConfig{d.Breaker.Failures, duration(d.Breaker.ProbeAfter), duration(d.Breaker.ProbeMax)}}
	type plain endpointConfig // without this method
	return unmarshal((*plain)(e))
}

// endpoints are the endpoints as replay has them.
func (c *config) endpoints() []replay.Endpoint {
	list := make([]replay.Endpoint, len(c.Endpoints))
	for i := range c.Endpoints {
		list[i] = c.endpoint(&c.Endpoints[i])
	}
	return list
}

func (c *config) endpoint(e *endpointConfig) replay.Endpoint {
	out := replay.DefaultEndpoint(e.Name, e.URL)
	if s := e.Subscribe; s != nil {
		out.Subscribe = &replay.Subscription{Sources: s.Sources, Steps: s.Steps, Kinds: s.Kinds}
	}
	for _, h := range e.Headers {
		out.Headers = append(out.Headers, event.Header{Name: h.Name, Value: h.Value})
	}
	out.DropHeaders, out.KeepHeaders = e.DropHeaders, e.KeepHeaders
	for _, s := range e.Sign.Secrets {
		out.Sign.Secrets = append(out.Sign.Secrets, s.Value)
	}
	out.Timeout, out.Rate, out.Concurrency, out.Order = time.Duration(e.Timeout), e.Rate, e.Concurrency, e.Order
	out.Retry = e.Retry.policy(out.Retry)
	out.Retry.On = e.RetryOn
	out.Breaker = replay.BreakerOptions{Failures: e.Breaker.Failures, ProbeAfter: time.Duration(e.Breaker.ProbeAfter), ProbeMax: time.Duration(e.Breaker.ProbeMax)}
	out.AllowPrivate, out.TLS = e.AllowPrivate, replay.TLSOptions(e.TLS)
	return out
}

// policy lays what is written over the default.
func (r retryConfig) policy(p replay.RetryPolicy) replay.RetryPolicy {
	if r.Schedule != nil {
		p.Schedule = nil
		for _, step := range r.Schedule {
			p.Schedule = append(p.Schedule, time.Duration(step))
		}
	}
	p.MaxAttempts, p.MaxAge = r.MaxAttempts, time.Duration(r.MaxAge)
	return p
}

// resolveEndpoints fills in secrets and says all that is wrong with the endpoints.
func (c *config) resolveEndpoints(check *checker) {
	seen := map[string]bool{}
	for i := range c.Endpoints {
		e, key := &c.Endpoints[i], fmt.Sprintf("endpoints[%d]", i)
		check.secret(key+".url", &e.URL)
		if clean, err := replay.CleanURL(e.URL); err == nil { // else Validate says what is wrong
			e.URL = clean
		}
		for i := range e.Headers {
			check.valueOrFile(fmt.Sprintf("%s.headers[%d]", key, i), &e.Headers[i].Value, e.Headers[i].ValueFile)
		}
		for i := range e.Sign.Secrets {
			check.valueOrFile(fmt.Sprintf("%s.sign.secrets[%d]", key, i), &e.Sign.Secrets[i].Value, e.Sign.Secrets[i].ValueFile)
		}
		if seen[e.Name] {
			check.wrong(key+".name", "the endpoint %q is there twice", e.Name)
		}
		seen[e.Name] = true
		if e.Subscribe != nil {
			c.checkSubscription(check, key+".subscribe", e.Subscribe)
		}
		endpoint := c.endpoint(e)
		for _, err := range unjoin(endpoint.Validate()) {
			if fault, ok := errors.AsType[*replay.Fault](err); ok {
				check.wrong(key+"."+fault.Key, "%s", fault.Text)
			}
		}
	}
}

// checkSubscription refuses what would never match: a name misspelt is an endpoint that gets nothing, and nobody notices.
func (c *config) checkSubscription(check *checker, key string, s *subscribeConfig) {
	var known []string
	for _, source := range c.Sources {
		known = append(known, source.Name)
	}
	for i, name := range s.Sources {
		if !slices.Contains(known, name) {
			check.wrong(fmt.Sprintf("%s.sources[%d]", key, i), "there is no source %q; there are %s", name, cmp.Or(strings.Join(known, ", "), "none"))
		}
	}
}
