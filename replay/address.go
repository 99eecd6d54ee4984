package replay

import (
	"context"
	"fmt"
	"net/netip"

	"code.dny.dev/ssrf"
)

// ForbiddenAddrError: the endpoint's name leads to an address that deliveries may not go to.
type ForbiddenAddrError struct {
	Addr    netip.Addr
	Setting string // what would allow it
	Own     string // what of hooktape itself is there, which no setting allows; else empty
}

func (e *ForbiddenAddrError) Error() string {
	if e.Own != "" {
		return fmt.Sprintf("%s is hooktape's own %s; nothing is ever sent there", e.Addr, e.Own)
	}
	return fmt.Sprintf("%s is not on the public internet; %s in the configuration allows it", e.Addr, e.Setting)
}

// public knows the addresses of the public internet, by IANA's special-purpose registries.
var public = ssrf.New(ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32"))) // Azure's host, public by its looks alone

// checkTarget looks at an address as it is about to be called for an endpoint: nothing goes to hooktape itself, and to private
// addresses only what the endpoint allows.
func checkTarget(ctx context.Context, e *Endpoint, own *Own, address string) error {
	to, err := leadsTo(address)
	if err != nil {
		return err
	}
	if err := own.check(ctx, to); err != nil || e.AllowPrivate {
		return err
	}
	return checkAddress(address, e.privateKey())
}

// checkAddress returns a *ForbiddenAddrError for an address that is not on the public internet.
func checkAddress(address, setting string) error {
	to, err := leadsTo(address)
	if err != nil {
		return err
	}
	if public.SafeAddr(to.Addr()) != nil {
		return &ForbiddenAddrError{Addr: to.Addr(), Setting: setting}
	}
	return nil
}

// leadsTo reads an address, such as [::1]:80. An IPv4 address within an IPv6 one is taken for what it is where the network will
// turn it into that: mapped, or behind NAT64 (RFC 6052), without which a machine that has IPv6 only could reach nobody.
func leadsTo(address string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ap, err
	}
	addr := ap.Addr().Unmap().WithZone("")
	if ssrf.IPv6NAT64Prefix.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return netip.AddrPortFrom(addr, ap.Port()), nil
}
