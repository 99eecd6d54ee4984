package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"hooktape/internal/event"
)

// TestForwardToHostileEndpoints: an answer that is not sound HTTP does not reach the bot, which gets the fallback.
func TestForwardToHostileEndpoints(t *testing.T) {
	for name, response := range map[string]string{
		"two lengths":      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc",
		"NUL in a value":   "HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
		"bare line feed":   "HTTP/1.1 200 OK\r\nX-A: 1\rX-B: 2\r\nContent-Length: 2\r\n\r\n{}",
		"unknown encoding": "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}",
		"huge header": "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a",
			2<<20) + "\r\nContent-Length: 2\r\n\r\n{}",
		"endless 1xx": strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("a", 1000)+"\r\n\r\n",
			5000) + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"another protocol":  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"not a status":      "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/0.9":          "{\"price\":\"7\"}",
		"nothing":           "",
		"negative length":   "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
		"a request instead": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, func(c net.Conn, r *http.Request) bool { says(response)(c, r); return false })
			s := newServer(t, nil)
			s.forwards(forwarding(b.url, nil))
			if got := s.post(priceHook, "{}"); got.StatusCode != 200 || got.body != instead ||
				got.Header.Get("X-A") != "" {
				t.Errorf("the bot got %d %v %.100q", got.StatusCode, got.Header, got.body)
			}
			if _, a := s.outcome(); a.Fallback != event.FallbackError || a.Outcome.OK() || a.Error == "" {
				t.Errorf("recorded: %+v", a)
			}
		})
	}
}

// TestForwardBetweenFramings: whatever framing bot and endpoint choose, request and answer are whole, and one request
// stays one.
func TestForwardBetweenFramings(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	s := newServer(t, nil)
	s.forwards(forwarding(b.url+"/api", nil))
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]struct{ request, body string }{
		"HTTP/1.0":       {"POST " + priceHook + "/x HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", "ab"},
		"HTTP/1.0, bare": {"GET " + priceHook + "/x HTTP/1.0\r\n\r\n", ""},
		"chunked": {"PUT " + priceHook +
			"/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "ab"},
		"in the body":  {request("POST", priceHook+"/x", smuggled), smuggled},
		"in the query": {request("POST", priceHook+"/x?a=%0d%0aX-Evil:%201%0d%0a%0d%0a"+"GET%20/smuggled", "ab"), "ab"},
		"in the path":  {request("POST", priceHook+"/x%0d%0aX-Evil:%201", "ab"), "ab"},
	} {
		before := len(b.seen())
		if got := s.raw(c.request); got.StatusCode != 200 || got.body != "{}" {
			t.Errorf("%s: %d %q", name, got.StatusCode, got.body)
		}
		s.outcome()
		seen := b.seen()[before:]
		if len(seen) != 1 || seen[0].Header.Get("X-Evil") != "" || !strings.HasPrefix(seen[0].URL.Path, "/api/x") ||
			b.bodies[before] != c.body {
			t.Errorf("%s: the endpoint got %v, %q", name, seen, b.bodies[before:])
		}
	}

	// Expect: 100-continue is answered here and not passed on.
	conn := s.dial()
	defer conn.Close()
	in := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST %s/x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n", priceHook)
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = in.ReadString('\n')
	io.WriteString(conn, "ab")
	if got := s.read(in, "POST"); got.body != "{}" {
		t.Errorf("after 100-continue: %q", got.body)
	}
	s.outcome()
	if last := b.seen()[len(b.seen())-1]; last.Header.Get("Expect") != "" {
		t.Errorf("the endpoint got %v", last.Header)
	}

	// Pipelined requests are answered in their order.
	b.mu.Lock()
	b.bodies = nil
	b.mu.Unlock()
	if statuses := s.raws(request("POST", priceHook+"/1", "1") + request("POST", "/hooks/demo/"+token,
		"{}") + request("POST", priceHook+"/2", "2")); !slices.Equal(statuses, []int{200, 200, 200}) {
		t.Errorf("pipelined: %v", statuses)
	}
	s.records(5)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.bodies, []string{"1", "2"}) {
		t.Errorf("the endpoint got %q", b.bodies)
	}
}

// TestForwardToAnEarlyAnswer: an endpoint that answers before it has read the request, and closes, is an answer or the
// fallback, never a hanging bot.
func TestForwardToAnEarlyAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReaderSize(c, 16).ReadString('\n')
			io.WriteString(c, "HTTP/1.1 429 Too Many\r\nDate: d\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno")
			c.Close()
		}
	}()
	s := newServer(t, nil)
	s.forwards(forwarding("http://"+listener.Addr().String(), nil))
	got := s.post(priceHook, strings.Repeat("x", 900<<10))
	_, a := s.outcome()
	answered := got.StatusCode == 429 && got.body == "no" && a.StatusCode == 429 && a.Fallback == ""
	if instead := got.body == instead && a.Fallback == event.FallbackError; !answered && !instead {
		t.Errorf("the bot got %d %q, recorded is %+v", got.StatusCode, got.body, a)
	}
}
