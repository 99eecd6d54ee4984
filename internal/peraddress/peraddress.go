// Package peraddress limits how often each client address may do something that anyone can do: send a request that is
// rejected, or try a token.
package peraddress

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MaxAddresses is how many addresses a Limiter remembers, in about 2 MiB.
const MaxAddresses = 10_000

// tidyEvery is how often a full Limiter looks for addresses that it can forget.
const tidyEvery = 5 * time.Second

// Limiter has a token bucket for each client network (see [Network]). When it remembers [MaxAddresses] networks, those
// that it does not know share one bucket: a crowd of addresses frees no address that is limited.
type Limiter struct {
	limit rate.Limit
	burst int

	mu    sync.Mutex
	known map[netip.Prefix]*rate.Limiter
	rest  *rate.Limiter
	tidy  time.Time // when it last forgot the networks whose buckets are full
}

// New returns a Limiter that allows each network burst events at once and limit events a second after that.
func New(limit rate.Limit, burst int) *Limiter {
	return &Limiter{limit: limit, burst: burst, known: map[netip.Prefix]*rate.Limiter{}, rest: rate.NewLimiter(limit, burst)}
}

// Allow reports whether an address may do it once more, and counts that it does.
func (l *Limiter) Allow(addr netip.Addr) bool { return l.bucket(addr).Allow() }

// Open reports whether Allow would allow it, and counts nothing.
func (l *Limiter) Open(addr netip.Addr) bool { return l.bucket(addr).Tokens() >= 1 }

func (l *Limiter) bucket(addr netip.Addr) *rate.Limiter {
	network := Network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.known[network]; found != nil {
		return found
	}
	if len(l.known) >= MaxAddresses && time.Since(l.tidy) >= tidyEvery {
		l.forget()
	}
	if len(l.known) >= MaxAddresses {
		return l.rest
	}
	fresh := rate.NewLimiter(l.limit, l.burst)
	l.known[network] = fresh
	return fresh
}

// forget drops the networks whose buckets are full: a new bucket is as good.
func (l *Limiter) forget() {
	l.tidy = time.Now()
	for network, bucket := range l.known {
		if bucket.Tokens() >= float64(l.burst) {
			delete(l.known, network)
		}
	}
}

// Network returns what one client can be assumed to own: an IPv4 address, or a /64 of IPv6. It is the zero prefix of the
// zero address.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits)
	return network
}
