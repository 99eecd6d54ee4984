package ingest

import "sync"

// memory is the budget for the bytes of requests in flight: headers, bodies, and the records made of them. A request
// reserves before it reads, in steps, so that neither many requests nor large ones can take more memory than
// [Limits.MaxMemory], whatever a Content-Length claims. What does not fit is answered with 503.
//
// Anyone can send a request, so strangers (clients and requests without a valid token) have a quarter of the budget.
// Large bodies may fill three quarters: the usual, small webhook finds room beside them.
type memory struct {
	max int64

	mu              sync.Mutex
	used, strangers int64
}

// share is which part of the budget a reservation may use.
type share int

const (
	forStranger share = iota // a quarter of the budget, counted apart
	forBody                  // what a body takes beyond its first bytes: until three quarters of the budget are used
	forRequest               // all of it
)

// What a request costs, in bytes. These are estimates of what net/http, gin and the spool allocate for it.
const (
	requestCost = 4 << 10 // without its header and body
	bodyCost    = 2       // for each byte of a body: the body, and the spool's record of it
	headerCost  = 4       // for each byte of a header, counted as headerBytes does
	arrivalCost = 16      // for each byte of a header that is arriving: one of many short lines takes as much, as a map
	recordCost  = 2       // for each byte of TLS: what is encrypted, and what it says
	firstBody   = 4 << 10 // how much of a body is read before more is reserved
)

func (m *memory) take(n int64, s share) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.fits(n, s) {
		return false
	}
	m.used += n
	if s == forStranger {
		m.strangers += n
	}
	return true
}

func (m *memory) fits(n int64, s share) bool {
	switch s {
	case forStranger:
		return m.strangers+n <= m.max/4 && m.used+n <= m.max
	case forBody:
		return m.used+n <= m.max/4*3
	}
	return m.used+n <= m.max
}

func (m *memory) release(n int64, stranger bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	if stranger {
		m.strangers -= n
	}
}

// reservation is what one request has reserved.
type reservation struct {
	memory   *memory
	stranger bool
	bytes    int64
}

// begin reserves what a request takes with its header and the first bytes of its body. A body that claims to be larger than
// what is left is refused at once.
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
	if r.stranger {
		return forStranger
	}
	return s
}

func (r *reservation) release() { r.memory.release(r.bytes, r.stranger) }
