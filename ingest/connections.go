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

	"hooktape/internal/peraddress"
)

// connections decides who may have a connection. net/http has no such limit, and netutil.LimitListener has only one for
// all, with which one address can lock all others out. The rules:
//
//   - A client (an IPv4 address, a /64 of IPv6) has at most MaxConnectionsPerAddress. One that has presented a valid token
//     within a day is known, and may have half of all: a whole BotHelp may send from one address.
//   - Clients that are not known have at most three quarters of all together, and a half where they speak TLS, whose
//     handshakes take memory. The rest is for those that are known.
//   - A trusted proxy carries many clients: it is known, and has no limit of its own.
//   - At a limit the connection that has waited longest for a request is closed in favour of the new one: idle ones, and
//     those in the middle of a header. Connections whose request is being handled are never closed. When all are such, the
//     new one is refused.
//
// It also reserves memory for the headers that connections are sending, for net/http reads them before any handler runs.
type connections struct {
	limits  Limits
	most    int // of clients that are not known
	proxies Proxies
	memory  *memory
	closed  metric.Int64Counter

	mu        sync.Mutex
	clients   map[netip.Prefix]*client
	waiting   *list.List // of *conn: those without a request, longest wait first
	open      int
	strangers int // of the open ones, those of clients that are not known
}

// client is who has connections, or has had some and is known.
type client struct {
	network netip.Prefix
	proxy   bool
	known   bool
	open    int
	seen    atomic.Int64 // when it presented a valid token last, in Unix seconds
}

const (
	knownFor  = 24 * time.Hour
	seenEvery = time.Minute // how exactly that is noted
)

func newConnections(o Options, m *memory, closed metric.Int64Counter) *connections {
	for _, reason := range []string{fullAddress, fullStrangers, fullTotal, fullMemory} {
		for _, which := range []string{closedNew, closedWaiting} {
			closed.Add(context.Background(), 0, closedSet(reason, which)) // there from the start, for alerts
		}
	}
	most := o.Limits.MaxConnections / 4 * 3
	if o.TLS != nil {
		most = o.Limits.MaxConnections / 2
	}
	return &connections{limits: o.Limits, most: most, proxies: o.TrustedProxies, memory: m, closed: closed, clients: map[netip.Prefix]*client{}, waiting: list.New()}
}

// admit returns nil when there is no room for a connection.
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
		cs.strangers++
	}
	cs.clients[c.network] = c // eviction may have forgotten it
	admitted := &conn{Conn: raw, connections: cs, client: c}
	admitted.wait()
	return admitted
}

// Why there is no room and which connection is closed for it, as the metric's labels have it.
const (
	fullAddress   = "address"
	fullStrangers = "unknown_clients"
	fullTotal     = "total"
	fullMemory    = "memory"

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
	case !c.known && cs.strangers >= max(1, cs.most):
		return fullStrangers, true
	case cs.open >= most:
		return fullTotal, true
	}
	return "", false
}

// oldest is the connection to close in favour of a new one of the client: the one that waits longest, of strangers if there
// is one. It is nil when nobody waits whose connection would make room.
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

// client finds or makes the record of a client. It is no longer known when its last valid token was long ago.
func (cs *connections) client(addr netip.Addr) *client {
	network := peraddress.Network(addr)
	c := cs.clients[network]
	if c == nil {
		if len(cs.clients) >= peraddress.MaxAddresses {
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
		cs.strangers += c.open
	}
	return c
}

// forget drops the record of a client that has no connection and is not known.
func (cs *connections) forget(c *client) {
	if c.open == 0 && (!c.known || c.proxy) {
		delete(cs.clients, c.network)
	}
}

// vouch notes that a connection's client has presented a valid token.
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
		cs.strangers -= c.client.open
	}
}

func (cs *connections) evict(c *conn, reason string) {
	cs.count(reason, closedWaiting)
	cs.remove(c)
	c.Conn.Close()
}

// remove takes a connection out of the count, once.
func (cs *connections) remove(c *conn) {
	if c.gone {
		return
	}
	c.gone = true
	c.act()
	c.discharge()
	c.client.open, cs.open = c.client.open-1, cs.open-1
	if !c.client.known {
		cs.strangers--
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

// conn is a connection that is counted. Its connections' mutex guards all but the first fields.
type conn struct {
	net.Conn
	connections *connections
	client      *client
	waits       atomic.Bool   // for a request, or sends its header; changed under the mutex
	place       *list.Element // in waiting; nil when it does not wait
	charged     int64         // of the memory, for the header
	stranger    bool          // was when it was charged
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
	c.connections.memory.release(c.charged, c.stranger)
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

// charge reserves memory for a part of a header. When strangers have none left, the connections that have waited longest
// are closed until they have.
func (cs *connections) charge(c *conn, n int64) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c.charged == 0 {
		c.stranger = !c.client.known
	}
	of := forRequest
	if c.stranger {
		of = forStranger
	}
	for !c.gone && !cs.memory.take(n, of) {
		oldest := cs.oldest(c.client, fullStrangers)
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

// Close closes the connection and gives its place back.
func (c *conn) Close() error {
	c.connections.mu.Lock()
	c.connections.remove(c)
	c.connections.mu.Unlock()
	return c.Conn.Close()
}
