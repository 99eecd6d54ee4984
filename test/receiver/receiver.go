package receiver

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"hooktape/internal/testutil"
)

// Sink is an endpoint.
type Receiver struct {
	ledger
	addr   string
	manner atomic.Pointer[manner]
	refuse atomic.Pointer[func(subscriber uint64) bool]

	mu       sync.Mutex
	listener net.Listener // nil: down
	conns    map[net.Conn]bool
	serving  sync.WaitGroup
}

// Listen makes a receiver on a free port of this machine; it says yes to everything.
func Listen() (*Receiver, error) {
	addr, err := testutil.FreeAddr()
	if err != nil {
		return nil, err
	}
	s := &Receiver{addr: addr, conns: map[net.Conn]bool{}}
	s.manner.Store(mannerOf(OK))
	return s, s.Up()
}

// URL is where to deliver to.
func (s *Receiver) URL() string { return "http://" + s.addr + "/hook" }

// Behave changes how requests are answered from now on. Those that hang are let go without an answer.
func (s *Receiver) Behave(b Behaviour) { close(s.manner.Swap(mannerOf(b)).over) }

// Refuse makes the receiver answer 400 for these subscribers, in place of 200.
func (s *Receiver) Refuse(which func(subscriber uint64) bool) { s.refuse.Store(&which) }

// Flap changes between behaviours until ctx ends, and is OK then.
func (s *Receiver) Flap(ctx context.Context, every time.Duration, among ...Behaviour) {
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
func (s *Receiver) Down() {
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
func (s *Receiver) Up() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("open the port of the test receiver: %w", err)
	}
	s.listener = listener
	s.serving.Go(func() { s.accept(listener) })
	return nil
}

// Close ends the receiver. Its ledger stays.
func (s *Receiver) Close() {
	s.Down()
	s.Behave(Reset) // lets those go that hang
	s.serving.Wait()
}

func (s *Receiver) accept(listener net.Listener) {
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
func (s *Receiver) serve(conn net.Conn) {
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
func (s *Receiver) answer(q *request) []byte {
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
