package outbound

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
)

// endpointAt returns an endpoint with the default timeout.
func endpointAt(url string) Endpoint {
	return Endpoint{Name: "crm", URL: url, Timeout: 10 * time.Second}
}

// local returns an endpoint on this machine.
func local(url string) Endpoint {
	e := endpointAt(url)
	e.AllowPrivate = true
	return e
}

// adHoc returns the endpoint of a replay to a URL.
func adHoc(url string, allowPrivate bool) Endpoint {
	return Endpoint{Name: url, URL: url, Timeout: 10 * time.Second, AllowPrivate: allowPrivate,
		PrivateSetting: "replay.allow_private"}
}

func clientOf(t *testing.T, e Endpoint) *Client {
	t.Helper()
	client, err := NewClient(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// attempt makes one attempt, as a worker does.
func attempt(t *testing.T, client *Client, e Endpoint) Answer {
	t.Helper()
	d, stored := aDelivery([]byte("{}"))
	r, err := e.NewRequest(context.Background(), nil, stored, d, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return client.Send(r)
}

// rawServer reads a request from each connection and then calls serve.
func rawServer(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	return acceptor(t, func(conn *net.TCPConn) {
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			serve(conn)
		}
	})
}

// acceptor calls serve with each connection and closes it afterwards.
func acceptor(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn.(*net.TCPConn))
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return "http://" + listener.Addr().String() + "/"
}

func says(text string) func(*net.TCPConn) {
	return func(c *net.TCPConn) { _, _ = io.WriteString(c, text) }
}

// untilGone waits until the other end closes the connection.
func untilGone(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// TestFailures verifies that each failure has its own outcome and text.
func TestFailures(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	defer old.Close()
	https := func(url string) string { return strings.Replace(url, "http:", "https:", 1) }
	refused := closedPort(t)
	long := strings.Repeat("x", 1<<20)

	const soon = 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		url     string
		timeout time.Duration
		outcome event.Outcome
		status  uint16
		err     string // whole error, or its beginning followed by …
	}{
		{"unresolvable name", "http://no-such-host.invalid/", 0, event.OutcomeNoConn, 0,
			`name "no-such-host.invalid": …`},
		{"refused", "http://" + refused + "/", 0, event.OutcomeNoConn, 0,
			"connect to " + refused + ": connection refused"},
		{"unreachable", "http://255.255.255.255/", 0, event.OutcomeNoConn, 0,
			"connect to 255.255.255.255:80: network is unreachable"},
		{"port out of range", "http://127.0.0.1:99999/", 0, event.OutcomeNoConn, 0, "…"},

		{"unknown certificate", secure.URL, 0, event.OutcomeNoConn, 0,
			"TLS: failed to verify certificate: x509: certificate signed by unknown authority"},
		{"TLS too old", old.URL, 0, event.OutcomeNoConn, 0, "TLS: remote error: tls: protocol version not supported"},
		{"HTTP instead of TLS", https(plain.URL), 0, event.OutcomeNoConn, 0,
			"TLS: server gave HTTP response to HTTPS client"},
		{"garbage instead of TLS", https(acceptor(t, says("\xff\x00 what is this?"))), 0, event.OutcomeNoConn, 0,
			"TLS: first record does not look like a TLS handshake"},
		{"closed in the handshake", https(acceptor(t, func(c *net.TCPConn) {
			_, _ = c.Read(make([]byte, 1<<16))
		})), 0, event.OutcomeNoConn, 0,
			"TLS: the endpoint ended the connection in the handshake"},
		{"hanging in the handshake", https(acceptor(t, untilGone)), soon, event.OutcomeNoConn, 0,
			"TLS: the handshake did not end in time"},

		{"hanging before the header", rawServer(t, untilGone), soon, event.OutcomeTimeout, 0, "no answer within 300ms"},
		{"hanging in the header", rawServer(t, func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nX: ")(c)
			untilGone(c)
		}), soon, event.OutcomeTimeout, 0,
			"no whole answer within 300ms"},
		{"hanging in the body", rawServer(t, func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart")(c)
			untilGone(c)
		}), soon, event.OutcomeDelivered, 200,
			"answered 200 OK, then: no whole answer within 300ms"},
		{"hanging in the body of a 500", rawServer(t, func(c *net.TCPConn) {
			says("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\npart")(c)
			untilGone(c)
		}), soon, event.OutcomeStatus, 500, "answered 500 Internal Server Error"},

		{"reset", rawServer(t, func(c *net.TCPConn) {
			_ = c.SetLinger(0)
		}), 0, event.OutcomeBroken, 0, "the endpoint reset the connection"},
		{"closed without an answer", rawServer(t, func(*net.TCPConn) {}), 0, event.OutcomeBroken, 0,
			"the endpoint closed the connection without an answer"},
		{"closed in the header", rawServer(t, says("HTTP/1.1 200 OK\r\nX-A: 1\r\n")), 0, event.OutcomeBroken, 0,
			"the endpoint closed the connection in mid-answer"},
		{"closed in a line of the header", rawServer(t, says("HTTP/1.1 200 OK\r\nContent-Le")), 0, event.OutcomeBroken,
			0,
			`the answer is not HTTP: malformed MIME header: missing colon: "Content-Le"`},
		{"closed after the header", rawServer(t, says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")),
			0, event.OutcomeDelivered, 200, "answered 200 OK, then: the endpoint closed the connection in mid-answer"},
		{"closed in the body", rawServer(t, says("HTTP/1.1 200 Fine\r\nContent-Length: 10\r\n\r\n12345")), 0,
			event.OutcomeDelivered, 200, "answered 200 Fine, then: the endpoint closed the connection in mid-answer"},
		{"closed in a chunk", rawServer(t, says("HTTP/1.1 202 Sure\r\nTransfer-Encoding: chunked\r\n\r\na\r\n12345")),
			0, event.OutcomeDelivered, 202,
			"answered 202 Sure, then: the endpoint closed the connection in mid-answer"},

		{"garbage", rawServer(t, says("\xff\x00what?\r\n\r\n")), 0, event.OutcomeBroken,
			0, `the answer is not HTTP: malformed HTTP response "\xff\x00what?"`},
		{"garbage that mentions TLS", rawServer(t, says("HTTP/1.1 tls: what?\r\n\r\n")), 0, event.OutcomeBroken,
			0, `the answer is not HTTP: malformed HTTP status code "tls:"`},
		{"much garbage", rawServer(t, says(long[:50_000]+"\r\n\r\n")), 0, event.OutcomeBroken, 0,
			`the answer is not HTTP: malformed HTTP response "xxx…`},
		{"bad status", rawServer(t, says("HTTP/1.1 fine\r\n\r\n")), 0, event.OutcomeBroken, 0,
			`the answer is not HTTP: malformed HTTP status code "fine"`},
		{"too large a header", rawServer(t, says("HTTP/1.1 200 OK\r\nX: "+long+"\r\n\r\n")), 0, event.OutcomeBroken,
			0, "the answer's header is larger than 64 KiB"},
		{"another protocol", rawServer(t, func(c *net.TCPConn) {
			says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")(c)
			untilGone(c)
		}), 0, event.OutcomeStatus, 101, "answered 101 Switching Protocols"},

		{"redirect", rawServer(t, says("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")), 0,
			event.OutcomeStatus, 302, "answered 302 Found (redirects are not followed)"},
		{"not modified", rawServer(t, says("HTTP/1.1 304 Not Modified\r\n\r\n")), 0, event.OutcomeStatus, 304,
			"answered 304 Not Modified"},
		{"not found", plain.URL, 0, event.OutcomeStatus, 404, "answered 404 Not Found"},
		{"nonstandard status", rawServer(t, says("HTTP/1.1 499 "+long[:1000]+"\r\nContent-Length: 0\r\n\r\n")), 0,
			event.OutcomeStatus, 499, "answered 499 xxx…"},
		{"delivered", rawServer(t, says("HTTP/1.1 299 Yes\r\nContent-Length: 0\r\n\r\n")), 0, event.OutcomeDelivered,
			299, ""},
		{"delivered, to the end of the connection", rawServer(t, says("HTTP/1.0 200 OK\r\n\r\nyes")), 0,
			event.OutcomeDelivered, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := local(c.url)
			if c.timeout > 0 {
				e.Timeout = c.timeout
			}
			a := attempt(t, clientOf(t, e), e)
			right := a.Err == c.err
			if beginning, ok := strings.CutSuffix(c.err, "…"); ok {
				right = strings.HasPrefix(a.Err, beginning) && a.Err != "" && len(a.Err) < 300
			}
			if a.Outcome != c.outcome || a.Status != c.status || !right {
				t.Errorf("got  %s %d %q\nwant %s %d %q", a.Outcome, a.Status, a.Err, c.outcome, c.status, c.err)
			}
		})
	}
}

// TestPartOfAnAnswerIsKept verifies that the received part of an interrupted answer is recorded.
func TestPartOfAnAnswerIsKept(t *testing.T) {
	e := local(rawServer(t, says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-A: 1\r\n\r\npart")))
	if a := attempt(t, clientOf(t, e), e); string(a.Body) != "part" || len(a.Headers) != 2 ||
		a.Headers[1] != (event.Header{Name: "X-A", Value: "1"}) {
		t.Errorf("got the answer %+v", a)
	}
}

// TestResponseIsKept verifies that the first 16 KiB, compressed or not, and all header lines are recorded unchanged.
func TestResponseIsKept(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, "packed answer")
	z.Close()
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Twice", "1")
		w.Header().Add("X-Twice", "2")
		switch r.URL.Path {
		case "/long":
			_, _ = w.Write(long)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(packed.Bytes())
		}
	}))
	defer server.Close()
	for path, body := range map[string][]byte{"/long": long[:16<<10], "/gzip": packed.Bytes(), "/empty": {}} {
		e := local(server.URL + path)
		a := attempt(t, clientOf(t, e), e)
		if a.Outcome != event.OutcomeDelivered || !bytes.Equal(a.Body, body) {
			t.Errorf("%s: %s, %d bytes, want %d", path, a.Outcome, len(a.Body), len(body))
		}
		for header, want := range map[event.Header]bool{{Name: "X-Twice", Value: "1"}: true,
			{Name: "X-Twice", Value: "2"}: true, {Name: "Content-Encoding", Value: "gzip"}: path == "/gzip"} {
			if slices.Contains(a.Headers, header) != want {
				t.Errorf("%s: headers %v", path, a.Headers)
			}
		}
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	e := local(rawServer(t, says("HTTP/1.1 503 Later\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n")))
	if a := attempt(t, clientOf(t, e), e); a.RetryAfter != 2*time.Minute {
		t.Errorf("got the answer %+v", a)
	}
}

// TestTimeoutIsOfTheWholeAttempt verifies with a fake clock that an attempt of 9.9 s is in time and one of 10.1 s is
// not.
func TestTimeoutIsOfTheWholeAttempt(t *testing.T) {
	for _, c := range []struct {
		header, body time.Duration
		outcome      event.Outcome
		err          string
	}{
		{9900 * time.Millisecond, 0, event.OutcomeDelivered, ""},
		{5 * time.Second, 4900 * time.Millisecond, event.OutcomeDelivered, ""},
		{10100 * time.Millisecond, 0, event.OutcomeTimeout, "no answer within 10s"},
		{5 * time.Second, 5100 * time.Millisecond, event.OutcomeDelivered,
			"answered 200 OK, then: no whole answer within 10s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := local("http://crm.example.org/")
			client := clientOf(t, e)
			client.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn,
				error) {
				ours, theirs := net.Pipe()
				go func() {
					defer theirs.Close()
					r, err := http.ReadRequest(bufio.NewReader(theirs))
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					<-time.After(c.header)
					_, _ = io.WriteString(theirs, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
					<-time.After(c.body)
					_, _ = io.WriteString(theirs, "yes")
				}()
				return ours, nil
			}
			begun := time.Now()
			a := attempt(t, client, e)
			if a.Outcome != c.outcome || a.Err != c.err || time.Since(begun) > 10*time.Second {
				t.Errorf("after %s: %s %q; want %s %q", time.Since(begun), a.Outcome, a.Err, c.outcome, c.err)
			}
			client.CloseIdleConnections()
			<-time.After(time.Minute) // until the endpoint has ended, too
		})
	}
}

// TestConnectionsAreUsedAgain verifies that a connection is reused, also after an answer longer than the recorded part,
// up to a limit, and that an endless answer does not block the client.
func TestConnectionsAreUsedAgain(t *testing.T) {
	usual := drainPatience
	drainPatience = 8 * time.Second
	defer func() { drainPatience = usual }()
	for _, c := range []struct {
		name   string
		length int
		status int
		again  bool
	}{{"empty", 0, 200, true}, {"as long as what is kept", KeptBytes, 200, true}, {"longer", 3 * KeptBytes, 200, true},
		{"an error", 3 * KeptBytes, 500, true}, {"far too long", 16 << 20, 200, false}} {
		t.Run(c.name, func(t *testing.T) {
			var connections atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(c.status)
				_, _ = io.CopyN(w, zeros{}, int64(c.length))
			}))
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					connections.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			e := local(server.URL)
			client := clientOf(t, e)
			for range 3 {
				if a := attempt(t, client, e); int(a.Status) != c.status || len(a.Body) != min(c.length, KeptBytes) {
					t.Fatalf("%s %d %q, %d bytes", a.Outcome, a.Status, a.Err, len(a.Body))
				} else if c.status == 200 && strings.Contains(a.Err, "more than 16 KiB") != (c.length > KeptBytes) {
					t.Errorf("a body of %d bytes: %q", c.length, a.Err)
				}
			}
			if n := connections.Load(); (n == 1) != c.again {
				t.Errorf("3 attempts used %d connections", n)
			}
		})
	}
	t.Run("without end", func(t *testing.T) {
		drainPatience = usual
		e := local(rawServer(t, func(c *net.TCPConn) {
			says("HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", KeptBytes))(c)
			untilGone(c)
		}))
		begun := time.Now()
		if a := attempt(t, clientOf(t, e), e); a.Outcome != event.OutcomeDelivered ||
			time.Since(begun) > 9*time.Second {
			t.Errorf("%s %q after %s", a.Outcome, a.Err, time.Since(begun))
		}
	})
}

// TestIdleConnectionsClose verifies that a connection is closed once it has had no request for IdleTimeout.
func TestIdleConnectionsClose(t *testing.T) {
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	defer server.Close()
	e := local(server.URL)
	e.IdleTimeout = time.Millisecond
	attempt(t, clientOf(t, e), e)
	select {
	case <-closed:
	case <-time.After(testutil.Patience):
		t.Error("the connection is open")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestOneAttemptIsOneRequest verifies that net/http does not repeat a request on its own, because hooktape must record
// every request that an endpoint gets.
func TestOneAttemptIsOneRequest(t *testing.T) {
	var requests atomic.Int32
	e := local(acceptor(t, func(c *net.TCPConn) {
		reader := bufio.NewReader(c)
		for range 2 {
			r, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if r.Header.Get("Idempotency-Key") == "" {
				t.Error("no Idempotency-Key")
			}
			if requests.Add(1)%2 == 1 { // read the second request and break its connection
				says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")(c)
			}
		}
	}))
	client := clientOf(t, e)
	if a := attempt(t, client, e); a.Outcome != event.OutcomeDelivered {
		t.Fatalf("got the answer %+v", a)
	}
	if a := attempt(t, client, e); a.Outcome != event.OutcomeBroken ||
		a.Err != "the endpoint closed the connection without an answer" {
		t.Errorf("got the answer %+v", a)
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("2 attempts sent %d requests", n)
	}
}

// TestNoProxy verifies that no proxy of the environment is used: it would resolve names and connect, bypassing the
// check of addresses.
func TestNoProxy(t *testing.T) {
	client := clientOf(t, endpointAt("http://example.com"))
	if client.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("the client uses a proxy")
	}
}

// TestForbiddenAtEveryDial verifies that each attempt checks the address, not the name.
func TestForbiddenAtEveryDial(t *testing.T) {
	var reached atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "127.9.9.9", "localhost", "0.0.0.0", "[::1]", "[::]",
		"[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "127.1", "0x7f000001",
		"2130706433", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
		"[fc00::1]", "[fd12::1]", "[fe80::1]", "[fe80::1%25lo]", "[ff02::1]", "224.0.0.1", "255.255.255.255"} {
		e := endpointAt(fmt.Sprintf("http://%s:%s/", host, port))
		client := clientOf(t, e)
		for range 2 {
			a := attempt(t, client, e)
			if a.Outcome == event.OutcomeNoConn && strings.HasPrefix(a.Err, "name ") &&
				slices.Contains([]string{"127.1", "0x7f000001", "2130706433"}, host) {
				continue // some resolvers parse such a number as an address, others fail to resolve it
			}
			if a.Outcome != event.OutcomeForbidden ||
				!strings.HasSuffix(a.Err,
					" is not on the public internet; allow_private of the endpoint crm in the configuration allows it") {
				t.Errorf("%s: %s %q", host, a.Outcome, a.Err)
			}
		}
	}
	e := adHoc(server.URL, false)
	if a := attempt(t, clientOf(t, e),
		e); a.Err != "127.0.0.1 is not on the public internet; replay.allow_private in the configuration allows it" {
		t.Errorf("%s %q", a.Outcome, a.Err)
	}
	if reached.Load() != 0 {
		t.Errorf("%d requests reached this machine", reached.Load())
	}
	e = adHoc(server.URL, true)
	if a := attempt(t, clientOf(t, e), e); a.Outcome != event.OutcomeDelivered {
		t.Errorf("%s %q", a.Outcome, a.Err)
	}
}

// TestStreaming verifies that Do returns once the header has arrived, that the body can be read while it arrives, and
// that an error in it is explained.
func TestStreaming(t *testing.T) {
	goOn := make(chan struct{})
	e := local(rawServer(t, func(c *net.TCPConn) {
		says("HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\n12345")(c)
		<-goOn
		says("678")(c)
	}))
	d, stored := aDelivery([]byte("{}"))
	r, err := e.NewRequest(context.Background(), nil, stored, d, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	response, err := clientOf(t, e).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if a := Classify(response); a.Outcome != event.OutcomeDelivered || a.Status != http.StatusCreated {
		t.Errorf("got the answer %+v", a)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); err != nil || string(first) != "12345" {
		t.Errorf("%q, %v", first, err)
	}
	close(goOn)
	rest, err := io.ReadAll(response.Body)
	failed, ok := errors.AsType[*Error](err)
	if string(rest) != "678" || !ok || failed.Outcome != event.OutcomeBroken ||
		failed.Text != "the endpoint closed the connection in mid-answer" {
		t.Errorf("%q, %v", rest, err)
	}
}
