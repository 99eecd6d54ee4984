package outbound

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"code.dny.dev/ssrf"
)

// ForbiddenAddrError reports that an endpoint's host resolves to an address that nothing may be sent to.
type ForbiddenAddrError struct {
	Addr    netip.Addr
	Setting string // would allow the address; empty if Own is set
	Own     string // the part of hooktape at this address, which no setting allows; otherwise empty
}

// Error implements error.
func (e *ForbiddenAddrError) Error() string {
	if e.Own != "" {
		return fmt.Sprintf("%s is hooktape's own %s; nothing is ever sent there", e.Addr, e.Own)
	}
	return fmt.Sprintf("%s is not on the public internet; %s in the configuration allows it", e.Addr, e.Setting)
}

// public contains the addresses of the public internet, by IANA's special-purpose registries.
// Azure's host has a public address.
var public = ssrf.New(ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")))

// checkPublic returns a [*ForbiddenAddrError] unless addr is on the public internet.
func checkPublic(addr netip.Addr, setting string) error {
	addr = embedded(addr)
	if public.SafeAddr(addr) != nil {
		return &ForbiddenAddrError{Addr: addr, Setting: setting}
	}
	return nil
}

// effectiveAddr parses an address such as [::1]:80 and returns where the network sends packets for it.
func effectiveAddr(address string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return ap, err
	}
	return netip.AddrPortFrom(embedded(ap.Addr()), ap.Port()), nil
}

// embedded returns the IPv4 address in an IPv6 address that the network translates to it: a mapped address, or one for
// NAT64 (RFC 6052), the only way to IPv4 on a machine that has only IPv6. It returns any other address without its
// zone.
func embedded(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if ssrf.IPv6NAT64Prefix.Contains(addr) {
		bytes := addr.As16()
		return netip.AddrFrom4([4]byte(bytes[12:]))
	}
	return addr
}

// OwnAddresses are the addresses of hooktape's listeners and of its ClickHouse. Nothing is ever sent to them, not even
// with AllowPrivate: a response is stored with its attempt, so a replay to hooktape's own ClickHouse would give its
// data, and every file it can read, to anybody who may create replays. The zero value and nil contain no addresses.
type OwnAddresses struct {
	mu        sync.Mutex
	listeners map[uint16]string // by port of this machine
	servers   []ownServer
}

type ownServer struct {
	host string
	port uint16
	what string
}

// AddListener adds an address that hooktape listens on, such as 127.0.0.1:8081. Its port is then refused on every
// address of this machine. An address with port 0 is ignored. what describes the listener for people, such as "API and
// console".
func (o *OwnAddresses) AddListener(addr, what string) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return // nothing can listen there
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil || number == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.listeners == nil {
		o.listeners = map[uint16]string{}
	}
	o.listeners[uint16(number)] = what
}

// AddServer adds a server that hooktape uses, possibly on another machine. A name is resolved whenever something is
// about to be sent to this port.
func (o *OwnAddresses) AddServer(host string, port uint16, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.servers = append(o.servers, ownServer{host, port, what})
}

// check returns a [*ForbiddenAddrError] if to, the address about to be dialed, is one of hooktape's own.
func (o *OwnAddresses) check(ctx context.Context, to netip.AddrPort) error {
	if o == nil {
		return nil
	}
	o.mu.Lock()
	listener, servers := o.listeners[to.Port()], slices.Clone(o.servers)
	o.mu.Unlock()
	servers = slices.DeleteFunc(servers, func(s ownServer) bool { return s.port != to.Port() })
	if listener == "" && len(servers) == 0 {
		return nil
	}
	local, err := localAddrs()
	if err != nil {
		return err
	}
	if listener != "" && local.contains(to.Addr()) {
		return &ForbiddenAddrError{Addr: to.Addr(), Own: fmt.Sprintf("%s (port %d)", listener, to.Port())}
	}
	for _, s := range servers {
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", s.host)
		if err != nil {
			return fmt.Errorf("compare with hooktape's own %s: %w", s.what, err)
		}
		for _, addr := range addrs {
			addr = addr.Unmap().WithZone("")
			if addr == to.Addr() || local.contains(addr) && local.contains(to.Addr()) {
				return &ForbiddenAddrError{Addr: to.Addr(), Own: fmt.Sprintf("%s (port %d)", s.what, s.port)}
			}
		}
	}
	return nil
}

// addrSet are the addresses of this machine's interfaces.
type addrSet []netip.Addr

func localAddrs() (set addrSet, err error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("read this machine's addresses: %w", err)
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			set = append(set, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return set, nil
}

// contains reports whether packets to addr stay on this machine. The unspecified address leads to the loopback.
func (s addrSet) contains(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsUnspecified() || slices.Contains(s, addr)
}
