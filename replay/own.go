package replay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// Own knows what hooktape listens on and which ClickHouse it uses. Nothing is ever sent there, whatever AllowPrivate says: an
// answer is kept with its attempt, so a replay to hooktape's own ClickHouse would hand its data, and what it can read of this
// machine, to whoever may create replays. The zero Own knows nothing; so does a nil one.
type Own struct {
	mu        sync.Mutex
	listeners map[uint16]string // what listens on a port of this machine
	servers   []ownServer
}

type ownServer struct {
	host string
	port uint16
	what string
}

// AddListener adds an address that hooktape listens on, such as 127.0.0.1:8081. Its port counts on every address of this machine.
// Port 0 is no port yet, and passed over. what is for people to read, such as "API and console".
func (o *Own) AddListener(addr, what string) {
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

// AddServer adds a server that hooktape uses, which may be another machine. A name is resolved when something is about to be sent
// to this port.
func (o *Own) AddServer(host string, port uint16, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.servers = append(o.servers, ownServer{host, port, what})
}

// check returns a *ForbiddenAddrError when an address is one of ours. It is asked with the address that is about to be called.
func (o *Own) check(ctx context.Context, to netip.AddrPort) error {
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

// contains reports whether what is sent to an address stays on this machine. The unspecified address leads to the loopback.
func (s addrSet) contains(addr netip.Addr) bool {
	return addr.IsLoopback() || addr.IsUnspecified() || slices.Contains(s, addr)
}
