package sink

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"hooktape/internal/testutil/freeport"
)

// Sink is an endpoint.
type Sink struct {
	ledger
	addr   string
	manner atomic.Pointer[manner]
	refuse atomic.Pointer[func(subscriber uint64) bool]

	mu       sync.Mutex
	listener net.Listener // nil: down
	conns    map[net.Conn]bool
	serving  sync.WaitGroup
}

// Listen makes a sink on a free port of this machine; it says yes to everything.
func Listen() (*Sink, error) {
	addr, err := freeport.Addr()
	if err != nil {
		return nil, err
	}
	s := &Sink{addr: addr, conns: map[net.Conn]bool{}}
	s.manner.Store(mannerOf(OK))
	return s, s.Up()
}

// URL is where to deliver to.
func (s *Sink) URL() string { return "http://" + s.addr + "/hook" }

// Behave changes how requests are answered from now on. Those that hang are let go without an answer.
func (s *Sink) Behave(b Behaviour) { close(s.manner.Swap(mannerOf(b)).over) }

// Refuse makes the sink answer 400 for these subscribers, in place of 200.
func (s *Sink) Refuse(which func(subscriber uint64) bool) { s.refuse.Store(&which) }

// Flap changes between behaviours until ctx ends, and is OK then.
func (s *Sink) Flap(ctx context.Context, every time.Duration, among ...Behaviour) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer s.Behave(OK)
	for i := 0; ; i++ {
		s.Behave(among[i%len(among)])
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Down closes the port and all connections: who connects is refused.
func (s *Sink) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return
	}
	s.listener.Close()
	s.listener = nil
	for conn := range s.conns {
		conn.Close()
	}
}

// Up opens the port again.
func (s *Sink) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("sink: %w", err)
	}
	s.listener = listener
	s.serving.Go(func() { s.accept(listener) })
	return nil
}

// Close ends the sink. Its ledger stays.
func (s *Sink) Close() {
	s.Down()
	s.Behave(Reset) // lets those go that hang
	s.serving.Wait()
}

func (s *Sink) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.listener != listener {
			conn.Close()
		} else {
			s.conns[conn] = true
			s.serving.Go(func() { s.serve(conn) })
		}
		s.mu.Unlock()
	}
}

// serve answers the requests of a connection, one after the other.
func (s *Sink) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()
	reader := bufio.NewReader(conn)
	for {
		q, err := readRequest(reader)
		if err != nil {
			return
		}
		answer := s.answer(&q)
		if answer == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset, where a close would be in order
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

var refusal = response(400, "", "no")

// answer notes a request and decides what is answered; nil: nothing.
func (s *Sink) answer(q *request) []byte {
	if q.get {
		return response(200, "", "ok")
	}
	m := s.manner.Load()
	q.At, q.Status, q.RetryAfter = time.Now(), m.status, m.retryAfter
	written := m.written
	if refuse := s.refuse.Load(); refuse != nil && m.status == 200 && (*refuse)(q.Subscriber) {
		q.Status, written = 400, refusal
	}
	s.note(q.Receipt)
	switch {
	case m.hang:
		<-m.over
		return nil
	case m.status == 0:
		return nil
	}
	return written
}
