package ingest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of those whose word on the client's address is taken.
type Proxies []netip.Prefix

// Handler has next see the client's address in RemoteAddr where a request comes by way of one of them.
func (p Proxies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client := p.client(r); client != peerAddr(r) {
			r = r.WithContext(r.Context()) // a copy, for the request is the server's
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

func (p Proxies) trust(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// client is the address that a request comes from: the connection's own, or, when that is a trusted proxy's, the last
// one in X-Forwarded-For or Forwarded (RFC 7239) that is not a trusted proxy's.
func (p Proxies) client(r *http.Request) netip.Addr {
	peer := peerAddr(r)
	if !p.trust(peer) {
		return peer
	}
	hops := forwardedFor(r.Header)
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			break // beyond this hop nothing can be believed
		}
		peer = addr
		if !p.trust(addr) {
			break
		}
	}
	return peer
}

// scheme is what the client speaks: to us, or to a trusted proxy that says so.
func (p Proxies) scheme(r *http.Request) string {
	if claimed := r.Header.Get("X-Forwarded-Proto"); (claimed == "https" || claimed == "http") && p.trust(peerAddr(r)) {
		return claimed
	}
	if c, _ := r.Context().Value(streamKey{}).(*stream); c != nil && c.below != nil {
		return "https"
	}
	return "http"
}

func peerAddr(r *http.Request) netip.Addr {
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	return addr.Addr().Unmap().WithZone("")
}

// forwardedFor lists the hops from client to here. X-Forwarded-For wins: most proxies append to it and pass on a
// Forwarded that the client made up.
func forwardedFor(header http.Header) (hops []string) {
	if list := header.Values("X-Forwarded-For"); len(list) > 0 {
		return strings.Split(strings.Join(list, ","), ",")
	}
	for element := range strings.SplitSeq(strings.Join(header.Values("Forwarded"), ","), ",") {
		for pair := range strings.SplitSeq(element, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(name, "for") {
				hops = append(hops, strings.Trim(value, `"`))
			}
		}
	}
	return hops
}

// parseHop reads 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:80.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if addr, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddrPort(hop)
	return addr.Addr().Unmap().WithZone(""), err == nil
}
