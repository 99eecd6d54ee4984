package console

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter says how often an address may fail to log in: ten times at once, and once every six seconds. It remembers
// so many addresses; when they are more, those that it does not know share one allowance.
type limiter struct {
	mu    sync.Mutex
	known map[netip.Prefix]*rate.Limiter
	rest  *rate.Limiter
	tidy  time.Time // when it last looked for those that it may forget
}

const (
	failuresAtOnce = 10
	failureEvery   = 6 * time.Second
	maxAddresses   = 10_000
)

func newLimiter() *limiter {
	return &limiter{known: map[netip.Prefix]*rate.Limiter{}, rest: allowance()}
}

func allowance() *rate.Limiter { return rate.NewLimiter(rate.Every(failureEvery), failuresAtOnce) }

// of is the allowance of an address. An IPv6 network of a customer's size counts as one.
func (l *limiter) of(addr netip.Addr) *rate.Limiter {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // the zero one for no address
	l.mu.Lock()
	defer l.mu.Unlock()
	if found := l.known[prefix]; found != nil {
		return found
	}
	if len(l.known) >= maxAddresses && time.Since(l.tidy) >= failureEvery { // sooner there is hardly one
		l.forget()
	}
	if len(l.known) >= maxAddresses {
		return l.rest
	}
	l.known[prefix] = allowance()
	return l.known[prefix]
}

// forget drops the addresses that have their whole allowance again.
func (l *limiter) forget() {
	l.tidy = time.Now()
	for prefix, a := range l.known {
		if a.Tokens() >= failuresAtOnce {
			delete(l.known, prefix)
		}
	}
}

// open tells whether an address may try.
func (l *limiter) open(addr netip.Addr) bool { return l.of(addr).Tokens() >= 1 }

// fail counts a failure.
func (l *limiter) fail(addr netip.Addr) { l.of(addr).Allow() }
