package ingest

import (
	"net/netip"
	"sync"

	"golang.org/x/time/rate"
)

// strangers decides how many of the requests that are not accepted are kept: anyone on the internet can send them, so
// they must not be able to fill the disk, nor push each other out.
type strangers struct {
	total      *rate.Limiter
	perAddress Rate

	mu      sync.Mutex
	buckets map[netip.Prefix]*rate.Limiter
}

// maxBuckets bounds the memory for addresses seen, to about 2 MiB.
const maxBuckets = 10_000

func newStrangers(l Limits) *strangers {
	return &strangers{
		total:      rate.NewLimiter(rate.Limit(l.RejectedTotal.PerSecond), l.RejectedTotal.Burst),
		perAddress: l.RejectedPerAddress,
		buckets:    map[netip.Prefix]*rate.Limiter{},
	}
}

// keep tells whether a rejected request from addr is to be stored.
func (s *strangers) keep(addr netip.Addr) bool {
	return s.bucket(addr).Allow() && s.total.Allow()
}

func (s *strangers) bucket(addr netip.Addr) *rate.Limiter {
	key := network(addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[key]
	if !ok {
		if len(s.buckets) >= maxBuckets {
			clear(s.buckets) // some strangers gain a burst; the rate over all still holds
		}
		b = rate.NewLimiter(rate.Limit(s.perAddress.PerSecond), s.perAddress.Burst)
		s.buckets[key] = b
	}
	return b
}

// network is what one sender can be assumed to own: an IPv4 address, or a /64 of IPv6.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}
