package ingest

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"hooktape/internal/httpserver"
)

// connections limits connections. net/http has no such limit, and netutil.LimitListener has only one for all clients,
// with which one address can lock out all others. The rules:
//
//   - A client (an IPv4 address, a /64 of IPv6) has at most MaxConnectionsPerAddress. A client that has presented a
//     valid token within a day is known, and may have half of all connections: all of BotHelp may send from one
//     address.
//   - All unknown clients together have at most three quarters of the connections, or half with TLS, whose handshakes
//     need memory. The rest is for known clients.
//   - A trusted proxy carries many clients: it is known, and has no limit of its own.
//   - At a limit the connection that has waited longest for a request is closed in favour of the new one. A connection
//     waits if it is idle or in the middle of a header. A connection whose request is being handled is never closed; if
//     all are, the new one is refused.
//
// It also reserves memory for arriving headers, because net/http reads them before any handler runs.
type connections struct {
	limits  Limits
	most    int // connections of unknown clients
	proxies Proxies
	memory  *memory
	closed  metric.Int64Counter

	mu      sync.Mutex
	clients map[netip.Prefix]*client
	waiting *list.List // of *conn: those without a request, longest wait first
	open    int
	unknown int // of the open ones, those of unknown clients
}

// client is a network with connections, or a known one without.
type client struct {
	network netip.Prefix
	proxy   bool
	known   bool
	open    int
	seen    atomic.Int64 // when it last presented a valid token, in Unix seconds
}

const (
	knownFor  = 24 * time.Hour
	seenEvery = time.Minute // the precision of client.seen
)

func newConnections(o Options, m *memory, closed metric.Int64Counter) *connections {
	for _, reason := range []string{fullAddress, fullUnknown, fullTotal, fullMemory} {
		for _, which := range []string{closedNew, closedWaiting} {
			closed.Add(context.Background(), 0, closedSet(reason, which)) // alerts need the series from the start
		}
	}
	most := o.Limits.MaxConnections / 4 * 3
	if o.TLS != nil {
		most = o.Limits.MaxConnections / 2
	}
	return &connections{limits: o.Limits, most: most, proxies: o.TrustedProxies, memory: m, closed: closed,
		clients: map[netip.Prefix]*client{}, waiting: list.New()}
}

// admit returns nil if there is no room for the connection.
func (cs *connections) admit(raw net.Conn) *conn {
	addr, _ := netip.ParseAddrPort(raw.RemoteAddr().String())
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.client(addr.Addr())
	if reason, full := cs.full(c); full {
		oldest := cs.oldest(c, reason)
		if oldest == nil {
			cs.count(reason, closedNew)
			cs.forget(c)
			return nil
		}
		cs.evict(oldest, reason)
	}
	c.open, cs.open = c.open+1, cs.open+1
	if !c.known {
		cs.unknown++
	}
	cs.clients[c.network] = c // eviction may have forgotten it
	admitted := &conn{Conn: raw, connections: cs, client: c}
	admitted.wait()
	return admitted
}

// Which limit is reached and which connection is closed for it, as labels of the metric.
const (
	fullAddress = "address"
	fullUnknown = "unknown_clients"
	fullTotal   = "total"
	fullMemory  = "memory"

	closedNew     = "new"
	closedWaiting = "waiting"
)

func (cs *connections) count(reason, which string) {
	cs.closed.Add(context.Background(), 1, closedSet(reason, which))
}

func closedSet(reason, which string) metric.MeasurementOption {
	return metric.WithAttributes(attrLimit.String(reason), attrConnection.String(which))
}

// full reports which limit another connection of a client would exceed.
func (cs *connections) full(c *client) (reason string, full bool) {
	most := cs.limits.MaxConnections
	ofOne := min(cs.limits.MaxConnectionsPerAddress, most)
	switch {
	case c.proxy:
		ofOne = most
	case c.known:
		ofOne = max(ofOne, most/2)
	}
	switch {
	case c.open >= ofOne:
		return fullAddress, true
	case !c.known && cs.unknown >= max(1, cs.most):
		return fullUnknown, true
	case cs.open >= most:
		return fullTotal, true
	}
	return "", false
}

// oldest returns the connection to close in favour of a new one of the client: the one that has waited longest, if
// possible of an unknown client. It returns nil if no waiting connection would make room.
func (cs *connections) oldest(c *client, reason string) (found *conn) {
	for e := cs.waiting.Front(); e != nil; e = e.Next() {
		waits := e.Value.(*conn)
		switch {
		case reason == fullAddress && waits.client != c:
		case reason == fullAddress || !waits.client.known:
			return waits
		case reason == fullTotal && found == nil:
			found = waits
		}
	}
	return found
}

// client returns the record of a client, a new one if necessary. A client whose last valid token was long ago becomes
// unknown.
func (cs *connections) client(addr netip.Addr) *client {
	network := httpserver.Network(addr)
	c := cs.clients[network]
	if c == nil {
		if len(cs.clients) >= httpserver.MaxAddresses {
			for _, old := range cs.clients {
				old.known = old.known && old.open > 0
				cs.forget(old)
			}
		}
		trusted := cs.proxies.trust(addr.Unmap().WithZone(""))
		c = &client{network: network, proxy: trusted, known: trusted}
		cs.clients[network] = c
	}
	if c.known && !c.proxy && time.Now().Unix()-c.seen.Load() > int64(knownFor/time.Second) {
		c.known = false
		cs.unknown += c.open
	}
	return c
}

// forget deletes the record of an unknown client without connections.
func (cs *connections) forget(c *client) {
	if c.open == 0 && (!c.known || c.proxy) {
		delete(cs.clients, c.network)
	}
}

// vouch records that a connection's client has presented a valid token.
func (cs *connections) vouch(c *conn) {
	now := time.Now().Unix()
	if c.client.proxy || now-c.client.seen.Load() < int64(seenEvery/time.Second) {
		return
	}
	c.client.seen.Store(now)
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if !c.client.known {
		c.client.known = true
		cs.unknown -= c.client.open
	}
}

func (cs *connections) evict(c *conn, reason string) {
	cs.count(reason, closedWaiting)
	cs.remove(c)
	c.Conn.Close()
}

// remove stops counting a connection.
func (cs *connections) remove(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	c.act()
	c.discharge()
	c.client.open, cs.open = c.client.open-1, cs.open-1
	if !c.client.known {
		cs.unknown--
	}
	cs.forget(c.client)
}

// state follows a connection through net/http's states.
func (cs *connections) state(c *conn, state http.ConnState) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	switch {
	case c.gone:
	case state == http.StateActive:
		c.act()
		c.discharge() // the request's own reservation takes over
	case state == http.StateIdle:
		c.wait()
	}
}

// conn is a counted connection. The mutex of its connections guards all but the first fields.
type conn struct {
	net.Conn
	connections *connections
	client      *client
	waits       atomic.Bool   // for a request, or in the middle of its header; changed under the mutex
	place       *list.Element // in waiting; nil when it does not wait
	charged     int64         // bytes of memory reserved for the header
	share       share         // from which they are reserved
	gone        bool
}

func (c *conn) wait() {
	if c.place == nil {
		c.place = c.connections.waiting.PushBack(c)
		c.waits.Store(true)
	}
}

func (c *conn) act() {
	if c.place != nil {
		c.connections.waiting.Remove(c.place)
		c.place = nil
		c.waits.Store(false)
	}
}

func (c *conn) discharge() {
	c.connections.memory.release(c.charged, c.share)
	c.charged = 0
}

var errNoMemory = errors.New("no memory is left for requests")

// arrive reserves memory for bytes that arrive before a request's header is complete.
func (c *conn) arrive(n int64) error {
	if n > 0 && c.waits.Load() && !c.connections.charge(c, n) {
		return &net.OpError{Op: "read", Err: errNoMemory} // net/http closes without an answer
	}
	return nil
}

// charge reserves memory for a part of a header. If there is none left, it closes the connections of unknown clients
// that have waited longest.
func (cs *connections) charge(c *conn, n int64) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.charged == 0 {
		c.share = forUnknown
		if c.client.known {
			c.share = forRequest
		}
	}
	for !c.gone && !cs.memory.take(n, c.share) {
		oldest := cs.oldest(c.client, fullUnknown)
		if oldest == nil {
			cs.count(fullMemory, closedNew)
			return false
		}
		cs.evict(oldest, fullMemory)
	}
	if c.gone {
		return false
	}
	c.charged += n
	return true
}

// Close closes the connection and frees its place.
func (c *conn) Close() error {
	c.connections.mu.Lock()
	c.connections.remove(c)
	c.connections.mu.Unlock()
	return c.Conn.Close()
}
