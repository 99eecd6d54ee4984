package ingest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"
)

// Options are the server's settings; the zero value is not valid, start from DefaultOptions.
type Options struct {
	Timeouts Timeouts
	Limits   Limits
	// TrustedProxies may name the client in X-Forwarded-For or Forwarded, and continue a trace by traceparent.
	TrustedProxies Proxies
	// TLS, if not nil, is spoken on the listener. HTTP/2 is never offered.
	TLS *tls.Config
}

// Timeouts bound how long one client may hold a connection.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration // of the whole request
	// BodyGrace is how long a body may be slower than Limits.MinBodyRate.
	BodyGrace time.Duration
	Write     time.Duration // from the end of the header to the end of the answer
	Idle      time.Duration // between requests
}

// Limits bound what strangers can make the server do.
type Limits struct {
	MaxHeaderBytes int
	// MaxConnections is also how many requests are handled at once.
	MaxConnections int
	// MaxConnectionsPerAddress is for an IPv4 address or a /64 of IPv6. One that has presented a valid token within a day
	// may have half of MaxConnections, and a trusted proxy all.
	MaxConnectionsPerAddress int
	// MaxMemory bounds the bytes that requests in flight take; beyond it they are answered with 503.
	MaxMemory int64
	// MinBodyRate, in bytes a second, is how fast a body must arrive after Timeouts.BodyGrace. A slower one is aborted.
	MinBodyRate int64
	// Rejected requests are stored for the audit up to these limits, and beyond them counted only. Requests to sources that
	// are not configured, and rejected requests to those that are, are counted apart: each kind has RejectedTotal, and half
	// of RejectedDaily, in bytes a day (UTC).
	RejectedPerAddress Rate
	RejectedTotal      Rate
	RejectedDaily      int64
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64
	Burst     int
}

// MinMemory is the least that MaxMemory may be: strangers have a quarter of it.
const MinMemory = 1 << 20

// RejectedBodyBytes is how much of a body is kept when the request is not accepted.
const RejectedBodyBytes = 64 << 10

// DefaultOptions suit a small server on the open internet.
func DefaultOptions() Options {
	return Options{
		Timeouts: Timeouts{ReadHeader: 10 * time.Second, Read: 30 * time.Second, Write: 40 * time.Second, Idle: 2 * time.Minute,
			BodyGrace: 5 * time.Second},
		Limits: Limits{
			MaxHeaderBytes:           64 << 10,
			MaxConnections:           4096,
			MaxConnectionsPerAddress: 256,
			MaxMemory:                64 << 20,
			MinBodyRate:              4 << 10,
			RejectedPerAddress:       Rate{PerSecond: 1, Burst: 20},
			RejectedTotal:            Rate{PerSecond: 20, Burst: 200},
			RejectedDaily:            256 << 20,
		},
	}
}

// Validate says what is wrong, by the names of the fields.
func (o Options) Validate() error {
	var errs []error
	for name, d := range map[string]time.Duration{"ReadHeader": o.Timeouts.ReadHeader, "Read": o.Timeouts.Read,
		"Write": o.Timeouts.Write, "Idle": o.Timeouts.Idle, "BodyGrace": o.Timeouts.BodyGrace} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("timeout %s must be positive, is %s", name, d))
		}
	}
	if o.Limits.MaxHeaderBytes < 4<<10 {
		errs = append(errs, fmt.Errorf("limit MaxHeaderBytes must be at least 4096, is %d", o.Limits.MaxHeaderBytes))
	}
	for name, n := range map[string]int64{"MaxConnections": int64(o.Limits.MaxConnections), "MaxConnectionsPerAddress": int64(o.Limits.MaxConnectionsPerAddress),
		"MinBodyRate": o.Limits.MinBodyRate} {
		if n < 1 {
			errs = append(errs, fmt.Errorf("limit %s must be at least 1, is %d", name, n))
		}
	}
	if o.Limits.MaxMemory < MinMemory {
		errs = append(errs, fmt.Errorf("limit MaxMemory must be at least %d, is %d", int64(MinMemory), o.Limits.MaxMemory))
	}
	if o.Limits.RejectedDaily < 0 {
		errs = append(errs, errors.New("limit RejectedDaily must not be negative"))
	}
	for name, r := range map[string]Rate{"RejectedPerAddress": o.Limits.RejectedPerAddress, "RejectedTotal": o.Limits.RejectedTotal} {
		if r.PerSecond < 0 || r.Burst < 0 {
			errs = append(errs, fmt.Errorf("limit %s must not be negative", name))
		}
	}
	return errors.Join(errs...)
}
