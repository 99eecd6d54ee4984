package ingest

import (
	"crypto/tls"
	"errors"
	"time"

	"hooktape/internal/outbound"
	"hooktape/internal/setting"
)

// Options are the server's settings. The zero value is invalid: start from DefaultOptions. The tags are the keys of the
// configuration.
type Options struct {
	Timeouts `yaml:",inline"`
	Limits   `yaml:",inline"`
	// TrustedProxies may name the client in X-Forwarded-For or Forwarded, and continue a trace by traceparent.
	TrustedProxies Proxies `yaml:"trusted_proxies"`
	// Own are the addresses to which nothing is forwarded.
	Own *outbound.OwnAddresses `yaml:"-"`
	// TLS, if not nil, is spoken on the listener. HTTP/2 is never offered.
	TLS *tls.Config `yaml:"-"`
}

// Timeouts bound the time that one client may occupy a connection.
type Timeouts struct {
	ReadHeader time.Duration `yaml:"read_header_timeout"`
	Read       time.Duration `yaml:"read_timeout"` // of the whole request
	// BodyGrace is the time that a body may be slower than Limits.MinBodyRate.
	BodyGrace time.Duration `yaml:"-"`
	Write     time.Duration `yaml:"-"`            // from the end of the header to the end of the answer
	Idle      time.Duration `yaml:"idle_timeout"` // between requests
}

// Limits bound the resources that clients can use.
type Limits struct {
	MaxHeaderBytes int `yaml:"-"`
	// MaxConnections also bounds the number of requests that are handled at the same time.
	MaxConnections int `yaml:"max_connections"`
	// MaxConnectionsPerAddress is the limit for an IPv4 address or a /64 of IPv6. An address that has presented a valid
	// token within a day may have half of MaxConnections, and a trusted proxy all.
	MaxConnectionsPerAddress int `yaml:"max_connections_per_address"`
	// MaxMemory bounds the bytes of requests in flight; beyond it requests are answered with 503.
	MaxMemory int64 `yaml:"max_memory"`
	// MaxForwards bounds the requests of all sources that wait for an endpoint: each holds two connections.
	MaxForwards int `yaml:"-"`
	// MinBodyRate, in bytes a second, is the minimum rate of a body after Timeouts.BodyGrace. A slower body is aborted.
	MinBodyRate int64 `yaml:"-"`
	// Rejected requests are stored for the audit up to these limits, and only counted beyond them. The limits apply
	// separately to requests to unknown sources and to rejected requests to known ones: each of the two has
	// RejectedTotal, and half of RejectedDaily, in bytes a day (UTC).
	RejectedPerAddress Rate  `yaml:"rejected_per_address"`
	RejectedTotal      Rate  `yaml:"rejected_total"`
	RejectedDaily      int64 `yaml:"rejected_daily"`
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64 `yaml:"per_second"`
	Burst     int     `yaml:"burst"`
}

// RejectedBodyBytes is the size of the stored start of a rejected request's body.
const RejectedBodyBytes = 64 << 10

// DefaultOptions suit a small server on the internet.
func DefaultOptions() Options {
	return Options{
		Timeouts: Timeouts{ReadHeader: 10 * time.Second, Read: 30 * time.Second, Write: 40 * time.Second,
			Idle: 2 * time.Minute, BodyGrace: 5 * time.Second},
		Limits: Limits{
			MaxHeaderBytes:           64 << 10,
			MaxConnections:           4096,
			MaxConnectionsPerAddress: 256,
			MaxMemory:                64 << 20,
			MaxForwards:              1024,
			MinBodyRate:              4 << 10,
			RejectedPerAddress:       Rate{PerSecond: 1, Burst: 20},
			RejectedTotal:            Rate{PerSecond: 20, Burst: 200},
			RejectedDaily:            256 << 20,
		},
	}
}

// Validate returns all errors together: it joins a [*setting.Fault] for each invalid setting.
func (o Options) Validate() error {
	var f setting.Faults
	f.Unless(o.ReadHeader > 0, "read_header_timeout", "must be more than 0")
	f.Unless(o.Read > 0, "read_timeout", "must be more than 0")
	f.Unless(o.Idle > 0, "idle_timeout", "must be more than 0")
	f.Unless(o.Write > 0, "write_timeout", "must be more than 0")
	f.Unless(o.BodyGrace > 0, "body_grace", "must be more than 0")
	f.Unless(o.MaxHeaderBytes >= 4<<10, "max_header_bytes", "must be at least 4KiB")
	f.Unless(o.MaxConnections >= 1, "max_connections", "must be at least 1")
	f.Unless(o.MaxConnectionsPerAddress >= 1, "max_connections_per_address", "must be at least 1")
	f.Unless(o.MaxMemory >= 1<<20, "max_memory", "must be at least 1MiB") // rejected requests have a quarter of it
	f.Unless(o.MaxForwards >= 1, "max_forwards", "must be at least 1")
	f.Unless(o.MinBodyRate >= 1, "min_body_rate", "must be at least 1")
	f.Unless(o.RejectedDaily >= 0, "rejected_daily", "must not be negative")
	f.Unless(o.RejectedPerAddress.PerSecond >= 0 &&
		o.RejectedPerAddress.Burst >= 0, "rejected_per_address", "must not be negative")
	f.Unless(o.RejectedTotal.PerSecond >= 0 && o.RejectedTotal.Burst >= 0, "rejected_total", "must not be negative")
	return errors.Join(f...)
}
