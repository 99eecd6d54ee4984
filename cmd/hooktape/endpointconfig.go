package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/replay"
)

// endpointConfig is one of endpoints: an endpoint whose secrets may be in files.
type endpointConfig struct {
	replay.Endpoint `yaml:",inline"`

	Headers []headerConfig `yaml:"headers"`
	RetryOn []string       `yaml:"retry_on"`
	Sign    struct {
		Secrets []secretConfig `yaml:"secrets"`
	} `yaml:"sign"`
}

type headerConfig struct {
	Name   string       `yaml:"name"`
	Secret secretConfig `yaml:",inline"`
}

type secretConfig struct {
	Value     string `yaml:"value" secret:""`
	ValueFile string `yaml:"value_file"`
}

// UnmarshalYAML puts the defaults where the file says nothing, so that a zero is what somebody has written.
func (e *endpointConfig) UnmarshalYAML(unmarshal func(any) error) error {
	*e = endpointConfig{Endpoint: replay.DefaultEndpoint("", "")}
	schedule := e.Retry.Schedule
	e.RetryOn, e.Retry.Schedule = e.Retry.On, nil
	type plain endpointConfig // without this method
	err := unmarshal((*plain)(e))
	if e.Retry.Schedule == nil {
		e.Retry.Schedule = schedule
	}
	return err
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
	out := e.Endpoint
	for _, h := range e.Headers {
		out.Headers = append(out.Headers, event.Header{Name: h.Name, Value: h.Secret.Value})
	}
	for _, s := range e.Sign.Secrets {
		out.Sign.Secrets = append(out.Sign.Secrets, s.Value)
	}
	out.Retry.On = e.RetryOn
	return out
}

// resolveEndpoints fills in secrets and says all that is wrong with the endpoints.
func (c *config) resolveEndpoints(check *checker) {
	for i := range c.Endpoints {
		e, key := &c.Endpoints[i], fmt.Sprintf("endpoints[%d]", i)
		check.secret(key+".url", &e.URL)
		if clean, err := outbound.CleanURL(e.URL); err == nil { // else Validate says what is wrong
			e.URL = clean
		}
		for i := range e.Headers {
			check.valueOrFile(fmt.Sprintf("%s.headers[%d]", key, i), &e.Headers[i].Secret)
		}
		for i := range e.Sign.Secrets {
			check.valueOrFile(fmt.Sprintf("%s.sign.secrets[%d]", key, i), &e.Sign.Secrets[i])
		}
		check.once(key, "endpoint", e.Name)
		if e.Subscribe != nil {
			c.checkSubscription(check, key+".subscribe", e.Subscribe)
		}
		endpoint := c.endpoint(e)
		check.faults(key, endpoint.Validate())
	}
}

// checkSubscription refuses what would never match: a name misspelt is an endpoint that gets nothing, and nobody notices.
func (c *config) checkSubscription(check *checker, key string, s *replay.Subscription) {
	var known []string
	for _, source := range c.Sources {
		known = append(known, source.Name)
	}
	for i, name := range s.Sources {
		if !slices.Contains(known, name) {
			check.Unless(false, fmt.Sprintf("%s.sources[%d]", key, i), "there is no source %q; there are %s", name, cmp.Or(strings.Join(known, ", "), "none"))
		}
	}
}
