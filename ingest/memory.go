package ingest

import "sync"

// memory is the budget for the bytes of requests in flight: headers, bodies, and their spool records. A request
// reserves in steps before it reads. Neither many requests nor large ones can therefore take more memory than
// [Limits.MaxMemory], whatever a Content-Length claims. A request that does not fit is answered with 503.
//
// Anyone can send a request, so unknown senders (clients and requests without a valid token) have a quarter of the
// budget. Large bodies may fill three quarters, which leaves room for the usual, small webhook. Requests that are
// forwarded last long, so all of them together have half of it.
type memory struct {
	max int64

	mu            sync.Mutex
	used, unknown int64
	forwarded     int64 // of used, for requests that wait for an endpoint
}

// share is the part of the budget that a reservation may use.
type share int

const (
	forUnknown share = iota // a quarter of the budget, counted separately
	forBody                 // for a body beyond its first bytes: up to three quarters of the budget
	forRequest              // all of it
	forForward              // half of it, counted separately
)

// The cost of a request in bytes. These are estimates of the allocations by net/http, gin and the spool.
const (
	requestCost = 4 << 10 // without its header and body
	bodyCost    = 2       // a byte of a body: the body itself, and its spool record
	headerCost  = 4       // a byte of a header, counted as by headerBytes
	arrivalCost = 16      // a byte of an arriving header: the map of a header with many short lines needs as much
	recordCost  = 2       // a byte of TLS: encrypted and decrypted
	firstBody   = 4 << 10 // the bytes of a body that are read before more is reserved
)

func (m *memory) take(n int64, s share) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.fits(n, s) {
		return false
	}
	m.add(n, s)
	return true
}

func (m *memory) fits(n int64, s share) bool {
	switch s {
	case forUnknown:
		return m.unknown+n <= m.max/4 && m.used+n <= m.max
	case forBody:
		return m.used+n <= m.max/4*3
	case forForward:
		return m.forwarded+n <= m.max/2 && m.used+n <= m.max
	}
	return m.used+n <= m.max
}

func (m *memory) release(n int64, s share) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(-n, s)
}

func (m *memory) add(n int64, s share) {
	m.used += n
	switch s {
	case forUnknown:
		m.unknown += n
	case forForward:
		m.forwarded += n
	}
}

// reservation is the memory reserved by one request.
type reservation struct {
	memory  *memory
	unknown bool // the sender is unknown
	forward bool // see hold
	bytes   int64
}

// begin reserves memory for a request with its header and the first bytes of its body. It refuses a body that claims to
// be larger than the rest of the budget.
func (r *reservation) begin(first, claimed, header int64) bool {
	r.memory.mu.Lock()
	fits := r.memory.fits(bodyCost*claimed, r.share(forBody))
	r.memory.mu.Unlock()
	return (fits || claimed <= firstBody) && r.grow(requestCost+headerCost*header+bodyCost*first, forRequest)
}

// grow reserves n more bytes.
func (r *reservation) grow(n int64, s share) bool {
	if !r.memory.take(n, r.share(s)) {
		return false
	}
	r.bytes += n
	return true
}

func (r *reservation) share(s share) share {
	switch {
	case r.unknown:
		return forUnknown
	case r.forward:
		return forForward
	}
	return s
}

// hold counts the reservation, and all that it grows by, to the share of forwarded requests. It returns false if that
// is used up.
func (r *reservation) hold() bool {
	r.memory.mu.Lock()
	defer r.memory.mu.Unlock()
	if r.memory.forwarded+r.bytes > r.memory.max/2 {
		return false
	}
	r.memory.forwarded += r.bytes
	r.forward = true
	return true
}

// handOver returns the reservation, and leaves an empty one behind.
func (r *reservation) handOver() reservation {
	all := *r
	r.bytes = 0
	return all
}

func (r *reservation) release() { r.memory.release(r.bytes, r.share(forRequest)) }
