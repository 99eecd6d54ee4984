// Package receiver is an endpoint for tests and benchmarks. It accepts the deliveries of hooktape and keeps a ledger of
// every request, whatever it answered. It can change its behaviour at any time: accept, fail, hang, reset the
// connection, answer with Retry-After, or not listen at all.
//
// It shares the processors with the program that it measures. So it has no net/http server, but one goroutine and one
// buffer for each connection.
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

// maxBody is the size of a connection's buffer.
const maxBody = 64 << 10

// Receiver is an endpoint.
type Receiver struct {
	ledger
	addr    string
	current atomic.Pointer[behaving]
	refuse  atomic.Pointer[func(subscriber uint64) bool]

	mu       sync.Mutex
	listener net.Listener // nil: down
	conns    map[net.Conn]bool
	serving  sync.WaitGroup
}

// Listen starts a receiver on a free loopback port. It accepts everything until Behave.
func Listen() (*Receiver, error) {
	addr, err := testutil.FreeAddr()
	if err != nil {
		return nil, err
	}
	r := &Receiver{addr: addr, conns: map[net.Conn]bool{}}
	r.current.Store(newBehaving(OK))
	return r, r.Up()
}

// URL returns the URL of the endpoint.
func (r *Receiver) URL() string { return "http://" + r.addr + "/hook" }

// Behave changes the answer to all following requests. Hanging requests end without an answer.
func (r *Receiver) Behave(b Behaviour) { close(r.current.Swap(newBehaving(b)).over) }

// Refuse makes the receiver answer 400 instead of 200 for the subscribers that which selects.
func (r *Receiver) Refuse(which func(subscriber uint64) bool) { r.refuse.Store(&which) }

// Flap changes between behaviours until ctx ends. Then it returns to OK.
func (r *Receiver) Flap(ctx context.Context, every time.Duration, among ...Behaviour) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	defer r.Behave(OK)
	for i := 0; ; i++ {
		r.Behave(among[i%len(among)])
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Down closes the port and all connections.
func (r *Receiver) Down() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.listener == nil {
		return
	}
	r.listener.Close()
	r.listener = nil
	for conn := range r.conns {
		conn.Close()
	}
}

// Up opens the port again.
func (r *Receiver) Up() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	listener, err := net.Listen("tcp", r.addr)
	if err != nil {
		return fmt.Errorf("open the port of the test receiver: %w", err)
	}
	r.listener = listener
	r.serving.Go(func() { r.accept(listener) })
	return nil
}

// Close ends the receiver. Its ledger stays.
func (r *Receiver) Close() {
	r.Down()
	r.Behave(Reset) // ends hanging requests
	r.serving.Wait()
}

func (r *Receiver) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return // closed
		}
		r.mu.Lock()
		if r.listener != listener {
			conn.Close()
		} else {
			r.conns[conn] = true
			r.serving.Go(func() { r.serve(conn) })
		}
		r.mu.Unlock()
	}
}

// serve answers the requests of a connection, one after the other.
func (r *Receiver) serve(conn net.Conn) {
	defer func() {
		conn.Close()
		r.mu.Lock()
		delete(r.conns, conn)
		r.mu.Unlock()
	}()
	reader := bufio.NewReaderSize(conn, maxBody)
	for {
		got, isGet, err := readRequest(reader)
		if err != nil {
			return
		}
		answer := gotGet
		if !isGet {
			answer = r.answer(got)
		}
		if answer == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // sends a reset
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

var (
	gotGet  = response(200, "", "ok")
	refusal = response(400, "", "no")
)

// answer records a delivery and returns the answer to it; nil: none.
func (r *Receiver) answer(got Receipt) []byte {
	b := r.current.Load()
	answer := b.answer
	got.At = time.Now()
	got.Status = b.status
	got.RetryAfter = b.retryAfter
	if refuse := r.refuse.Load(); refuse != nil && b.status == 200 && (*refuse)(got.Subscriber) {
		got.Status = 400
		answer = refusal
	}
	r.record(got)
	if b.hang {
		<-b.over
	}
	if got.Status == 0 {
		return nil
	}
	return answer
}
