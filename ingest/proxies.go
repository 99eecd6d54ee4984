package ingest

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks that may name a client's address.
type Proxies []netip.Prefix

// Handler replaces the RemoteAddr of a request from a trusted proxy by the client's address.
func (p Proxies) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if client := p.client(r); client != peerAddr(r) {
			r = r.WithContext(r.Context()) // a copy, because the request belongs to the server
			r.RemoteAddr = netip.AddrPortFrom(client, 0).String()
		}
		next.ServeHTTP(w, r)
	})
}

func (p Proxies) trust(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(addr) })
}

// client returns the address of a request's client: the connection's address, or, if that is a trusted proxy's, the
// last one in X-Forwarded-For or Forwarded (RFC 7239) that is not a trusted proxy's.
func (p Proxies) client(r *http.Request) netip.Addr {
	peer := peerAddr(r)
	if !p.trust(peer) {
		return peer
	}
	hops := forwardedFor(r.Header)
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(hop)
		if !ok {
			break // the hops before this one cannot be trusted
		}
		peer = addr
		if !p.trust(addr) {
			break
		}
	}
	return peer
}

// scheme returns the scheme of the client's request, to this server or as a trusted proxy reports it.
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

// forwardedFor returns the hops from the client to this server. X-Forwarded-For has precedence: most proxies append to
// it, and pass on a Forwarded that the client may have invented.
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

// parseHop parses 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1] and [2001:db8::1]:80.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if addr, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	addr, err := netip.ParseAddrPort(hop)
	return addr.Addr().Unmap().WithZone(""), err == nil
}
