package ingest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
)

// from opens a connection from another address of this machine. It is closed when the test ends.
func (s *server) from(ip string) net.Conn {
	s.t.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 0))}
	conn, err := dialer.DialContext(context.Background(), "tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(testutil.Patience))
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// send posts to a target over an open connection and returns the status, or 0 without an answer.
func send(conn net.Conn, target string) int {
	io.WriteString(conn, request("POST", target, "{}"))
	r := bufio.NewReader(conn)
	status := 0
	if _, err := fmt.Fscanf(r, "HTTP/1.1 %d ", &status); err != nil {
		return 0
	}
	for length := 0; ; { // reads the rest of the header, and the body
		line, err := r.ReadString('\n')
		if err != nil {
			return 0
		}
		fmt.Sscanf(line, "Content-Length: %d", &length)
		if line == "\r\n" {
			r.Discard(length)
			return status
		}
	}
}

// closed reports whether the server has closed an idle connection.
func closed(conn net.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := conn.Read(make([]byte, 1))
	var timeout net.Error
	return !errors.As(err, &timeout) || !timeout.Timeout()
}

const (
	valid   = "/hooks/demo/" + token
	invalid = "/hooks/nobody/nothing"
)

// TestConnectionsOfOneAddress verifies that an address at its limit loses its longest idle connection for each new one,
// and that other addresses are not affected.
func TestConnectionsOfOneAddress(t *testing.T) {
	const limit, opened = 20, 100
	s := newServer(t, func(c *config) {
		c.options.Limits.MaxConnections, c.options.Limits.MaxConnectionsPerAddress = 64, limit
	})
	before := sums(t, "hooktape.ingest.connections.closed", "hooktape.limit", "hooktape.connection")
	var idle []net.Conn
	for range opened {
		idle = append(idle, s.from("127.0.0.2"))
	}
	for i, c := range idle[:opened-limit] {
		testutil.Eventually(t, func() error {
			if !closed(c) {
				return fmt.Errorf("connection %d of %d is open", i, opened)
			}
			return nil
		})
	}
	for i, c := range idle[opened-limit:] {
		if closed(c) {
			t.Errorf("connection %d of the last %d is closed", i, limit)
		}
	}
	if status := send(s.from("127.0.0.3"), valid); status != 200 {
		t.Errorf("another address: %d", status)
	}
	grown := since(before, sums(t, "hooktape.ingest.connections.closed", "hooktape.limit", "hooktape.connection"))
	if grown["waiting address"] != opened-limit || len(grown) != 1 {
		t.Errorf("counted %v", grown)
	}
}

// TestReservedConnections verifies that unknown clients of many addresses can have three quarters of the connections,
// also if none is idle, and that a client with a valid token can connect, more often than an unknown client.
func TestReservedConnections(t *testing.T) {
	const total, perAddress = 40, 5
	s := newServer(t, func(c *config) {
		c.options.Limits.MaxConnections = total
		c.options.Limits.MaxConnectionsPerAddress = perAddress
	})
	if status := send(s.from("127.0.0.2"), valid); status != 200 {
		t.Fatalf("valid token: got status %d", status)
	}
	var busy []net.Conn
	for i := range 20 * perAddress { // requests in progress, whose connections are not closed for others
		c := s.from(fmt.Sprintf("127.0.0.%d", 10+i%20))
		io.WriteString(c, request("POST", invalid, "12345")[:len(request("POST", invalid, "12345"))-1])
		busy = append(busy, c)
	}
	testutil.Eventually(t, func() error {
		open := 0
		for _, c := range busy {
			if !closed(c) {
				open++
			}
		}
		if open != total*3/4 {
			return fmt.Errorf("unknown clients have %d busy connections, want %d", open, total*3/4)
		}
		return nil
	})
	for i := range 2 * perAddress {
		if status := send(s.from("127.0.0.2"), valid); status != 200 {
			t.Fatalf("the known client's connection %d: %d", i, status)
		}
	}
}

// TestIdleIsClosedFirst verifies that at the total limit a new client replaces the connection that was idle longest.
func TestIdleIsClosedFirst(t *testing.T) {
	const total = 16
	s := newServer(t, func(c *config) { c.options.Limits.MaxConnections = total })
	var idle []net.Conn
	for i := range total {
		idle = append(idle, s.from(fmt.Sprintf("127.0.0.%d", 10+i)))
	}
	for i := range 3 * total {
		if status := send(s.from(fmt.Sprintf("127.0.0.%d", 100+i)), valid); status != 200 {
			t.Fatalf("new client %d: %d", i, status)
		}
	}
	if !closed(idle[0]) {
		t.Error("the longest idle connection is open")
	}
}

// TestRefusedIsClosedFirst verifies that a connection stays replaceable after its request was refused.
func TestRefusedIsClosedFirst(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Limits.MaxConnections = 1 })
	refused := s.from("127.0.0.2")
	io.WriteString(refused, request("POST", invalid, "{}", "Bad Name: 1"))
	if answer, err := io.ReadAll(refused); err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Fatalf("%q, %v", answer, err)
	}
	if status := send(s.from("127.0.0.3"), valid); status != 200 {
		t.Errorf("the next client: %d", status)
	}
}

// TestProxyHasNoLimit verifies that a trusted proxy's address, which many clients share, has no limit.
func TestProxyHasNoLimit(t *testing.T) {
	s := newServer(t, func(c *config) {
		trusting(c)
		c.options.Limits.MaxConnections, c.options.Limits.MaxConnectionsPerAddress = 100, 2
	})
	var conns []net.Conn
	for range 90 {
		conns = append(conns, s.from("127.0.0.2"))
	}
	for i, c := range conns {
		if status := send(c, valid); status != 200 {
			t.Fatalf("connection %d: %d", i, status)
		}
	}
}

// TestHeaderMemory verifies that incomplete headers count for the memory limit, and that the longest waiting one is
// closed first.
func TestHeaderMemory(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Limits.MaxMemory = 4 << 20 })
	if status := send(s.from("127.0.0.3"), valid); status != 200 {
		t.Fatalf("valid token: got status %d", status)
	}
	var conns []net.Conn
	for range 40 { // 16 connections of 10 KiB each; unknown clients may use 1 MiB
		c := s.from("127.0.0.2")
		io.WriteString(c, "POST "+invalid+" HTTP/1.1\r\nHost: h\r\n"+strings.Repeat("X-A: b\r\n", 10<<10/8))
		conns = append(conns, c)
	}
	testutil.Eventually(t, func() error {
		open := 0
		for _, c := range conns {
			if !closed(c) {
				open++
			}
		}
		if open > 7 {
			return fmt.Errorf("%d connections are open", open)
		}
		return nil
	})
	if status := send(s.from("127.0.0.3"), valid); status != 200 {
		t.Errorf("the known client: %d", status)
	}
}

// TestBodyMemory verifies that bodies stay within the memory limit, those of unknown senders within a quarter of it. A
// request beyond it gets 503, with or without Content-Length, and does not affect requests in progress.
func TestBodyMemory(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Limits.MaxMemory = 2 << 20 })
	before := sums(t, "hooktape.ingest.shed", "hooktape.sender")
	const size = 60 << 10
	half := func(target string) string {
		whole := request("POST", target, strings.Repeat("x", size))
		return whole[:len(whole)-size/2]
	}
	// 120 KiB each; unknown senders may use 512 KiB.
	var slow []net.Conn
	for i := range 4 {
		c := s.from(fmt.Sprintf("127.0.0.%d", 2+i))
		io.WriteString(c, half(invalid))
		slow = append(slow, c)
	}
	s.reserved(4 * 2 * size)
	if a := s.post(invalid, strings.Repeat("x", size)); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" ||
		!a.Close {
		t.Errorf("another unknown sender: %s %v", a.Status, a.Header)
	}
	chunked := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
		invalid, size, strings.Repeat("x", size))
	if a := s.raw(chunked); a.StatusCode != 503 {
		t.Errorf("unknown sender with chunks: %s", a.Status)
	}
	for _, body := range []string{"{}", strings.Repeat("x", size)} {
		if a := s.post(valid, body); a.StatusCode != 200 {
			t.Errorf("known source, %d bytes: %s", len(body), a.Status)
		}
	}
	for _, c := range slow {
		io.WriteString(c, strings.Repeat("x", size/2))
		if a := s.read(bufio.NewReader(c), "POST"); a.StatusCode != 404 {
			t.Errorf("request in progress: %s", a.Status)
		}
	}
	testutil.Eventually(t, func() error { // a handler releases its memory after its answer
		if a := s.post(invalid, strings.Repeat("x", size)); a.StatusCode != 404 {
			return fmt.Errorf("unknown sender afterwards: %s", a.Status)
		}
		return nil
	})
	grown := since(before, sums(t, "hooktape.ingest.shed", "hooktape.sender"))
	if grown["unknown"] < 2 || grown["known"] != 0 {
		t.Errorf("counted %v", grown)
	}
}

// reserved waits until requests in flight have reserved at least this many bytes.
func (s *server) reserved(least int64) {
	s.t.Helper()
	testutil.Eventually(s.t, func() error {
		if n := s.handler.Reserved(); n < least {
			return fmt.Errorf("%d bytes reserved, want %d", n, least)
		}
		return nil
	})
}

// TestLargeBodiesLeaveRoom verifies that large bodies with a valid token leave memory for small ones.
func TestLargeBodiesLeaveRoom(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Limits.MaxMemory = 1 << 20 })
	const size = 90_000
	half := request("POST", valid, strings.Repeat("x", size))
	half = half[:len(half)-10]
	for range 4 { // 180 KB each, of the 786 KB for large bodies
		io.WriteString(s.from("127.0.0.2"), half)
	}
	s.reserved(4 * 2 * size)
	if a := s.post(valid, strings.Repeat("x", size)); a.StatusCode != 503 {
		t.Errorf("another large body: %s", a.Status)
	}
	for range 20 {
		if a := s.post(valid, "{}"); a.StatusCode != 200 {
			t.Fatalf("small body: %s", a.Status)
		}
	}
}

// TestSlowBody verifies that a body slower than the minimum rate is aborted long before the read timeout, and that the
// received part is stored.
func TestSlowBody(t *testing.T) {
	s := newServer(t, func(c *config) {
		c.options.Timeouts.BodyGrace, c.options.Limits.MinBodyRate = 300*time.Millisecond, 1<<20
	})
	whole := request("POST", valid, strings.Repeat("x", 5000))
	conn := s.dial()
	io.WriteString(conn, whole[:len(whole)-1000])
	// read waits less than the read timeout of 30 s
	if a := s.read(bufio.NewReader(conn), "POST"); a.StatusCode != 408 {
		t.Errorf("slow body: got %s", a.Status)
	}
	if e := s.one(); e.Verdict != event.Aborted || len(e.Body) != 4000 {
		t.Errorf("captured %s with %d bytes", e.Verdict, len(e.Body))
	}
}
