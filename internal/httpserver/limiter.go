package httpserver

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// MaxAddresses is the number of addresses that a Limiter remembers, in about 2 MiB.
const MaxAddresses = 10_000

// tidyEvery is the interval at which a full Limiter looks for addresses to forget.
const tidyEvery = 5 * time.Second

// Limiter limits how often each client may do something that anyone can do: send a request that is rejected, or try a
// token. It has a token bucket for each client network (see [Network]). When it remembers [MaxAddresses] networks, all
// others share one bucket: many addresses do not make it forget a limited one.
type Limiter struct {
	limit rate.Limit
	burst int

	mu    sync.Mutex
	known map[netip.Prefix]*rate.Limiter
	rest  *rate.Limiter
	tidy  time.Time // of the last call of forget
}

// NewLimiter returns a Limiter that allows each network a burst of events, and limit events a second afterwards.
func NewLimiter(limit rate.Limit, burst int) *Limiter {
	return &Limiter{limit: limit, burst: burst, known: map[netip.Prefix]*rate.Limiter{},
		rest: rate.NewLimiter(limit, burst)}
}

// Allow reports whether an address may act now, and counts the action.
func (l *Limiter) Allow(addr netip.Addr) bool { return l.bucket(addr).Allow() }

// Open reports whether Allow would return true, and counts nothing.
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

// forget deletes the networks whose buckets are full: a new bucket is equivalent.
func (l *Limiter) forget() {
	l.tidy = time.Now()
	for network, bucket := range l.known {
		if bucket.Tokens() >= float64(l.burst) {
			delete(l.known, network)
		}
	}
}

// Network returns the network that one client can be assumed to own: an IPv4 address, or a /64 of IPv6. For the zero
// address it returns the zero prefix.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.Prefix(bits)
	return network
}
