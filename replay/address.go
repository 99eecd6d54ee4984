package replay

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
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

// reserved are what IANA's special-purpose registries keep from the public internet, beyond what netip knows. Of IPv6 no
// more than 2000::/3 is given out at all, so the list for it is of exceptions within that.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("100.64.0.0/10"),    // carriers; the metadata of Alibaba's machines
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments; the metadata of Oracle's
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays, withdrawn
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and the broadcast address
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's host, public by its looks alone

	netip.MustParsePrefix("2001::/23"),     // protocol assignments; Teredo, which carries an IPv4 address
	netip.MustParsePrefix("2001:db8::/32"), // documentation
	netip.MustParsePrefix("2002::/16"),     // 6to4, which carries an IPv4 address
	netip.MustParsePrefix("3fff::/20"),     // documentation
}

var (
	givenOut = netip.MustParsePrefix("2000::/3")
	nat64    = netip.MustParsePrefix("64:ff9b::/96")
)

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
	addr := to.Addr()
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Is6() && !givenOut.Contains(addr) ||
		slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return &ForbiddenAddrError{Addr: addr, Setting: setting}
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
	if nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return netip.AddrPortFrom(addr, ap.Port()), nil
}
