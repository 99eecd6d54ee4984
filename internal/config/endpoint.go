package config

import (
	"hooktape/internal/event"
	"hooktape/replay"
)

// Endpoint is one of the endpoints, whose secrets may be in files.
type Endpoint struct {
	replay.Endpoint `yaml:",inline"`

	Headers []header `yaml:"headers"`
	RetryOn []string `yaml:"retry_on"`
	Sign    struct {
		Secrets []secret `yaml:"secrets"`
	} `yaml:"sign"`
}

type header struct {
	Name   string `yaml:"name"`
	Secret secret `yaml:",inline"`
}

// secret is a secret that the configuration or a file has.
type secret struct {
	Value     string `yaml:"value" secret:""`
	ValueFile string `yaml:"value_file"`
}

// UnmarshalYAML sets the defaults before it decodes, so a zero in the file stays a zero.
func (e *Endpoint) UnmarshalYAML(unmarshal func(any) error) error {
	*e = Endpoint{Endpoint: replay.DefaultEndpoint("", "")}
	e.RetryOn = e.Retry.On
	schedule := e.Retry.Schedule
	e.Retry.Schedule = nil // a list in the file would be appended to it
	type plain Endpoint    // without this method
	err := unmarshal((*plain)(e))
	if e.Retry.Schedule == nil {
		e.Retry.Schedule = schedule
	}
	return err
}

// DeliveryEndpoints returns the endpoints as the package replay takes them.
func (c *Config) DeliveryEndpoints() []replay.Endpoint {
	list := make([]replay.Endpoint, len(c.Endpoints))
	for i, e := range c.Endpoints {
		list[i] = e.resolved()
	}
	return list
}

// resolved returns the endpoint with its secrets filled in.
func (e *Endpoint) resolved() replay.Endpoint {
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
