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
	// TLS, if not nil, is spoken on the listener, with HTTP/2 where its NextProtos have h2.
	TLS *tls.Config
}

// Timeouts bound how long one client may hold a connection.
type Timeouts struct {
	ReadHeader time.Duration
	Read       time.Duration // of the whole request
	Write      time.Duration // from the end of the header to the end of the answer
	Idle       time.Duration // between requests
}

// Limits bound what strangers can make the server do.
type Limits struct {
	MaxHeaderBytes int
	// MaxConnections is also how many requests are handled at once: one connection of HTTP/2 could carry many.
	MaxConnections int
	// What is not accepted is kept for the audit up to these rates, and beyond them counted only.
	RejectedPerAddress Rate
	RejectedTotal      Rate
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64
	Burst     int
}

// RejectedBodyBytes is how much of a body is kept when the request is not accepted.
const RejectedBodyBytes = 64 << 10

// DefaultOptions suit a small server on the open internet.
func DefaultOptions() Options {
	return Options{
		Timeouts: Timeouts{ReadHeader: 10 * time.Second, Read: 30 * time.Second, Write: 40 * time.Second, Idle: 2 * time.Minute},
		Limits: Limits{
			MaxHeaderBytes:     64 << 10,
			MaxConnections:     4096,
			RejectedPerAddress: Rate{PerSecond: 1, Burst: 20},
			RejectedTotal:      Rate{PerSecond: 20, Burst: 200},
		},
	}
}

// Validate says what is wrong, by the names of the fields.
func (o Options) Validate() error {
	var errs []error
	for name, d := range map[string]time.Duration{"ReadHeader": o.Timeouts.ReadHeader, "Read": o.Timeouts.Read,
		"Write": o.Timeouts.Write, "Idle": o.Timeouts.Idle} {
		if d <= 0 {
			errs = append(errs, fmt.Errorf("timeout %s must be positive, is %s", name, d))
		}
	}
	if o.Limits.MaxHeaderBytes < 4<<10 {
		errs = append(errs, fmt.Errorf("limit MaxHeaderBytes must be at least 4096, is %d", o.Limits.MaxHeaderBytes))
	}
	if o.Limits.MaxConnections < 1 {
		errs = append(errs, fmt.Errorf("limit MaxConnections must be at least 1, is %d", o.Limits.MaxConnections))
	}
	for name, r := range map[string]Rate{"RejectedPerAddress": o.Limits.RejectedPerAddress, "RejectedTotal": o.Limits.RejectedTotal} {
		if r.PerSecond < 0 || r.Burst < 0 {
			errs = append(errs, fmt.Errorf("limit %s must not be negative", name))
		}
	}
	return errors.Join(errs...)
}
