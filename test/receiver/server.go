package receiver

import (
	"fmt"
	"net"
	"net/http"
	"sync"

	"hooktape/internal/testutil"
)

// Server serves a handler at a free loopback address, and can be down for a while. Its behaviour of type B may change
// at any time.
type Server[B any] struct {
	Addr string

	handler http.Handler
	serving sync.WaitGroup // the server and its handlers

	mu     sync.Mutex
	server *http.Server // nil: down
	now    B
	over   chan struct{} // closed when the behaviour changes
}

// Serve starts a server.
func Serve[B any](handler http.Handler, begin B) (*Server[B], error) {
	addr, err := testutil.FreeAddr()
	if err != nil {
		return nil, err
	}
	s := &Server[B]{Addr: addr, handler: handler, now: begin, over: make(chan struct{})}
	return s, s.Up()
}

// Behave changes the behaviour for all following requests.
func (s *Server[B]) Behave(b B) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.over)
	s.now, s.over = b, make(chan struct{})
}

// Behaviour returns the behaviour, and a channel that is closed when it changes.
func (s *Server[B]) Behaviour() (now B, over <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.over
}

// Up opens the port again.
func (s *Server[B]) Up() error {
	listener, err := net.Listen("tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("open the port of a test server: %w", err)
	}
	server := &http.Server{}
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.begin(server) {
			panic(http.ErrAbortHandler)
		}
		defer s.serving.Done()
		s.handler.ServeHTTP(w, r)
	})
	s.mu.Lock()
	s.server = server
	s.mu.Unlock()
	s.serving.Go(func() { _ = server.Serve(listener) }) // until it is closed
	return nil
}

// begin lets a handler run, unless its server is down.
func (s *Server[B]) begin(server *http.Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == server {
		s.serving.Add(1)
	}
	return s.server == server
}

// Down closes the port and all connections. When it returns, no handler runs.
func (s *Server[B]) Down() {
	s.mu.Lock()
	server := s.server
	s.server = nil
	s.mu.Unlock()
	if server != nil {
		server.Close()
		s.serving.Wait()
	}
}
