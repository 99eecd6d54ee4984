package httpserver

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// TestLimiter: it remembers a bounded number of addresses, forgets those whose buckets are full, and refills buckets.
func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(rate.Every(6*time.Second), 10)
		one := netip.MustParseAddr("2001:db8::1")
		for range 10 {
			if !l.Open(one) || !l.Allow(one) {
				t.Fatal("an address may not do it ten times")
			}
		}
		if l.Allow(one) || l.Open(one) || l.Open(netip.MustParseAddr("2001:db8::2")) || !l.Open(netip.MustParseAddr("2001:db8:0:1::1")) {
			t.Error("an IPv6 network does not count as one")
		}
		if !l.Open(netip.MustParseAddr("192.0.2.1")) || Network(netip.MustParseAddr("::ffff:192.0.2.1")) != netip.MustParsePrefix("192.0.2.1/32") {
			t.Error("an IPv4 address is not one of its own")
		}
		for i := range 3 * MaxAddresses {
			l.Allow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		}
		if n := len(l.known); n > MaxAddresses {
			t.Errorf("%d addresses are remembered", n)
		}
		if l.Open(one) {
			t.Error("a crowd of addresses frees one that is limited")
		}
		time.Sleep(6 * time.Second)
		if !l.Open(one) {
			t.Error("an address stays limited")
		}
		time.Sleep(time.Hour)
		l.Allow(netip.MustParseAddr("192.0.2.1"))
		if n := len(l.known); n != 1 {
			t.Errorf("%d addresses are remembered after an hour", n)
		}
	})
}
