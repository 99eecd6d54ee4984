package httpserver

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// TestLimiter verifies that the limiter keeps a bounded number of addresses, forgets addresses with full buckets, and
// refills buckets.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(rate.Every(6*time.Second), 10)
		one := netip.MustParseAddr("2001:db8::1")
		for range 10 {
			if !l.Open(one) || !l.Allow(one) {
				t.Fatal("an address was limited within its burst of ten")
			}
		}
		if l.Allow(one) || l.Open(one) || l.Open(netip.MustParseAddr("2001:db8::2")) ||
			!l.Open(netip.MustParseAddr("2001:db8:0:1::1")) {
			t.Error("two addresses of an IPv6 network have separate limits")
		}
		if !l.Open(netip.MustParseAddr("192.0.2.1")) ||
			Network(netip.MustParseAddr("::ffff:192.0.2.1")) != netip.MustParsePrefix("192.0.2.1/32") {
			t.Error("two IPv4 addresses share a limit")
		}
		for i := range 3 * MaxAddresses {
			l.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		}
		if n := len(l.known); n > MaxAddresses {
			t.Errorf("%d addresses in memory", n)
		}
		if l.Open(one) {
			t.Error("requests of many addresses reset a limited one")
		}
		time.Sleep(6 * time.Second)
		if !l.Open(one) {
			t.Error("an address is still limited after the refill")
		}
		time.Sleep(time.Hour)
		l.Allow(netip.MustParseAddr("192.0.2.1"))
		if n := len(l.known); n != 1 {
			t.Errorf("%d addresses in memory after an hour", n)
		}
	})
}
