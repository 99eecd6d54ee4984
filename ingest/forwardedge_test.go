package ingest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

// placesLeft verifies that a server still forwards one request after the other, with a source whose max_in_flight is 1.
func (s *server) placesLeft(b *backend) {
	s.t.Helper()
	eventually(s.t, func() bool {
		before := len(b.seen())
		s.post(priceHook, "{}")
		return len(b.seen()) > before
	}, "a free place")
	eventually(s.t, func() bool { return s.handler.Reserved() == 0 }, "the memory")
}

// TestForwardInvalidStatus: net/http cannot write a status that does not have three digits. The bot gets the fallback,
// and the place is free again.
func TestForwardInvalidStatus(t *testing.T) {
	for _, status := range []string{"042", "099", "000"} {
		b := newBackend(t, says("HTTP/1.1 "+status+" x\r\nContent-Length: 2\r\n\r\n{}"))
		s := newServer(t, nil)
		s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.MaxInFlight = 1 }))
		if got := s.post(priceHook, "{}"); got.StatusCode != 200 || got.body != instead {
			t.Errorf("%s: the bot got %d %s", status, got.StatusCode, got.body)
		}
		if _, a := s.outcome(); a.Fallback != event.FallbackError || a.Outcome != event.OutcomeBroken ||
			!strings.Contains(a.Error, "status") {
			t.Errorf("%s: recorded %+v", status, a)
		}
		s.placesLeft(b)
	}
}

// TestForwardPanics: whatever goes wrong in hooktape itself, a place and a probe are not lost, and the outcome is
// recorded.
func TestForwardPanics(t *testing.T) {
	var armed atomic.Bool
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		return says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")(c, r) &&
			says("0\r\n\r\n")(c, r)
	})
	s := newServer(t, func(c *config) {
		c.listener = func(l net.Listener) net.Listener { return &defective{l, &armed} }
	})
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.MaxInFlight = 1 }))
	conn := s.dial()
	armed.Store(true)
	io.WriteString(conn, request("POST", priceHook, "{}"))
	if got, err := io.ReadAll(conn); strings.Contains(string(got), "internal") {
		t.Errorf("the bot got %q, %v", got, err)
	}
	if armed.Load() {
		t.Fatal("nothing panicked")
	}
	if _, a := s.outcome(); a.Outcome != event.OutcomeUnknown || a.Error == "" {
		t.Errorf("recorded %+v", a)
	}
	s.placesLeft(b)
}

// defective is a listener whose connections panic once when they are written to.
type defective struct {
	net.Listener
	armed *atomic.Bool
}

func (l *defective) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &defectiveConn{c, l.armed}, nil
}

type defectiveConn struct {
	net.Conn
	armed *atomic.Bool
}

func (c *defectiveConn) Write(p []byte) (int, error) {
	if c.armed.CompareAndSwap(true, false) {
		panic("a defect")
	}
	return c.Conn.Write(p)
}

// TestForwardNothingIsInvented: an answer or a fallback without a body stays one with each method. gin answers for
// requests that its routes do not know.
func TestForwardNothingIsInvented(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 404 Not Found\r\nDate: d\r\nContent-Length: 0\r\n\r\n"))
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		got := s.raw(request(method, priceHook, ""))
		if got.StatusCode != 404 || got.body != "" || len(got.Header["Content-Type"]) > 0 {
			t.Errorf("%s: %d %v %q", method, got.StatusCode, got.Header, got.body)
		}
		s.outcome()
	}
}

// TestForwardProbesSoon: bots get the fallback until the next probe, so the endpoint is tried again within seconds,
// however long deliveries wait. A metric shows the state. Each source has its own breaker.
func TestForwardProbesSoon(t *testing.T) {
	var dead atomic.Bool
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		return !dead.Load() && says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(c, r)
	})
	s := newServer(t, nil)
	source := forwarding(b.url, func(f *ingest.Forward) { f.Breaker.Failures = 2 }) // its probes would wait an hour
	patient := forwarding(b.url, nil)
	patient.Name = "patient"
	s.handler.SetSources(ingest.NewSources([]ingest.Source{source, patient}))
	dead.Store(true)
	for range 3 {
		s.post(priceHook, "{}")
	}
	if got := failingSources(t); got["price"] != 1 || got["patient"] != 0 {
		t.Errorf("failing: %v", got)
	}
	dead.Store(false)
	if got := s.post("/hooks/patient/"+token, "{}"); got.body != "{}" {
		t.Errorf("another source got %s", got.body)
	}
	eventually(t, func() bool { return s.post(priceHook, "{}").body == "{}" }, "a probe")
	eventually(t, func() bool { return failingSources(t)["price"] == 0 }, "the metric")
}

// failingSources returns the sources' values of the metric hooktape.forward.failing.
func failingSources(t *testing.T) map[string]int64 {
	values := map[string]int64{}
	for _, m := range collect(t) {
		if gauge, ok := m.Data.(metricdata.Gauge[int64]); ok && m.Name == "hooktape.forward.failing" {
			for _, p := range gauge.DataPoints {
				source, _ := p.Attributes.Value("hooktape.source")
				values[source.AsString()] = p.Value
			}
		}
	}
	return values
}

// TestForwardAfterASlowDisk: an endpoint that had no time, because the disk took nearly all of it, does not count as
// failing.
func TestForwardAfterASlowDisk(t *testing.T) {
	b := newBackend(t, hangs)
	var wait atomic.Bool
	s := newServer(t, func(c *config) {
		c.between = func(s ingest.Spool) ingest.Spool { return &sluggish{s, &wait} }
	})
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.Deadline, f.Breaker.Failures = time.Second, 1 }))
	// The disk takes two thirds of the deadline. If a slow machine takes all of it, the request is not sent.
	wait.Store(true)
	for i := 0; len(b.seen()) < 2; i++ {
		if got := s.post(priceHook, "{}"); got.body != instead {
			t.Fatalf("the bot got %s", got.body)
		}
		if i == 20 {
			t.Fatalf("%d requests were sent: the endpoint is blamed for the disk", len(b.seen()))
		}
	}
}

// sluggish is a spool whose disk takes a while with intents.
type sluggish struct {
	ingest.Spool
	wait *atomic.Bool
}

func (s *sluggish) Append(ctx context.Context, record []byte, notes ...spool.Note) error {
	if s.wait.Load() && len(notes) > 0 && notes[0].Value != nil {
		time.Sleep(650 * time.Millisecond) // the fault that is tested
	}
	return s.Spool.Append(ctx, record, notes...)
}

// TestForwardToABotThatGivesUp: the attempt says when the bot left, with the answer that it did not wait for.
func TestForwardToABotThatGivesUp(t *testing.T) {
	for name, deadline := range map[string]time.Duration{"answer": 20 * time.Second, "fallback": 500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			release := make(chan time.Duration)
			b := newBackend(t, func(c net.Conn, r *http.Request) bool {
				if name == "fallback" {
					return hangs(c, r)
				}
				time.Sleep(<-release)
				return says("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"price\":\"7\"}")(c, r)
			})
			before := sums(t, "hooktape.forward.requests", "hooktape.result")
			s := newServer(t, nil)
			s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.Deadline, f.Breaker.Failures = deadline, 0 }))
			// hooktape sees the end of the connection at some time; how soon depends on the machine.
			for i, pause := 1, 20*time.Millisecond; ; i, pause = i+1, 2*pause {
				conn := s.dial()
				io.WriteString(conn, request("POST", priceHook, "{}"))
				eventually(t, func() bool { return len(b.seen()) == i }, "the request")
				conn.Close()
				if name == "answer" {
					release <- pause
				}
				_, a := s.outcome()
				if name == "answer" && (a.StatusCode != 200 || string(a.ResponseBody) != `{"price":"7"}`) ||
					name == "fallback" && a.Fallback != event.FallbackDeadline {
					t.Fatalf("recorded: %+v", a)
				}
				if strings.Contains(a.Error, "the bot closed the connection after ") {
					break
				}
				if pause > 5*time.Second {
					t.Fatalf("recorded as answered: %+v", a)
				}
			}
			if grown := since(before, sums(t, "hooktape.forward.requests", "hooktape.result")); grown["bot_left"] != 1 {
				t.Errorf("counted: %v", grown)
			}
		})
	}
}

// TestForwardToABotThatStillReads: a bot may close its own direction after the request. It gets the answer.
func TestForwardToABotThatStillReads(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	conn := s.dial()
	io.WriteString(conn, request("POST", priceHook, "{}"))
	conn.(*net.TCPConn).CloseWrite()
	if got := s.read(bufio.NewReader(conn), "POST"); got.body != "{}" {
		t.Errorf("the bot got %q", got.body)
	}
	s.outcome()
}

// TestForwardWithoutABody: an endpoint that sends the header of an answer and then nothing is not the end of the
// fallback.
func TestForwardWithoutABody(t *testing.T) {
	for name, c := range map[string]struct {
		header  string
		then    func(net.Conn, *http.Request) bool
		outcome event.Outcome
		why     event.Fallback
	}{
		"hangs": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", hangs, event.OutcomeTimeout, event.FallbackDeadline},
		"hangs, chunked": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", hangs, event.OutcomeTimeout,
			event.FallbackDeadline},
		"closes": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", func(net.Conn, *http.Request) bool { return false },
			event.OutcomeBroken, event.FallbackError},
		"no chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
			func(net.Conn, *http.Request) bool { return false }, event.OutcomeBroken, event.FallbackError},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(conn net.Conn, r *http.Request) bool {
				return says(c.header)(conn, r) && c.then(conn, r)
			})
			s := newServer(t, nil)
			s.forwards(forwarding(b.url, func(f *ingest.Forward) {
				if c.why == event.FallbackDeadline {
					f.Deadline = time.Second
				}
			}))
			if got := s.post(priceHook, "{}"); got.StatusCode != 200 || got.body != instead ||
				got.Header.Get("X-Fallback") != "yes" {
				t.Errorf("the bot got %d %v %q", got.StatusCode, got.Header, got.body)
			}
			if _, a := s.outcome(); a.Outcome != c.outcome || a.Fallback != c.why || a.StatusCode != 200 || a.Error == "" {
				t.Errorf("recorded: %+v", a)
			}
		})
	}
}

// TestForwardBreakerCountsBrokenAnswers: an endpoint whose answers break off is failing.
func TestForwardBreakerCountsBrokenAnswers(t *testing.T) {
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		says("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart")(c, r)
		return false
	})
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.Breaker.Failures = 2 }))
	for range 2 {
		conn := s.dial()
		io.WriteString(conn, request("POST", priceHook, "{}"))
		if got, err := io.ReadAll(conn); !strings.HasSuffix(string(got), "start") {
			t.Errorf("the bot got %q, %v", got, err)
		}
	}
	if got := s.post(priceHook, "{}"); got.body != instead || len(b.seen()) != 2 {
		t.Errorf("the bot got %s; %d requests were sent", got.body, len(b.seen()))
	}
}

// TestForwardOutcomeIsOfItsIntent: intent and outcome have the same time. The sink looks for a stored outcome by its
// time, when damage brings an intent back.
func TestForwardOutcomeIsOfItsIntent(t *testing.T) {
	var s *server
	notes := make(chan []spool.Note, 1)
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		list, _ := s.spool.Notes()
		notes <- list
		return says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(c, r)
	})
	s = newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	s.post(priceHook, "{}")
	_, a := s.outcome()
	var intent event.Attempt
	if list := <-notes; len(list) != 1 || event.Decoding.Unmarshal(list[0].Value, &intent) != nil ||
		!intent.StartedAt.Equal(a.StartedAt) || intent.ID != a.ID {
		t.Errorf("the intent %+v has the outcome %+v", intent, a)
	}
}

// TestForwardMemoryOnAHangingDisk: what waits for the disk is reserved, although the bot has its answer.
func TestForwardMemoryOnAHangingDisk(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	gate := make(chan struct{})
	s := newServer(t, func(c *config) { c.between = func(s ingest.Spool) ingest.Spool { return &slow{s, gate} } })
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.Deadline, f.MaxInFlight = 200*time.Millisecond, 1 }))
	body := strings.Repeat("x", 100<<10)
	if got := s.post(priceHook, body); got.body != instead {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if n := s.handler.Reserved(); n < int64(len(body)) {
		t.Errorf("%d bytes are reserved for a request of %d", n, len(body))
	}
	// Its place among max_in_flight is free again, but not its memory.
	if got := s.post(priceHook, body); got.body != instead {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	close(gate)
	s.records(3)
	eventually(t, func() bool { return s.handler.Reserved() == 0 }, "the memory")
}

// TestForwardRefusesAtOnce: a bot that is refused gets the fallback soon, also while the disk hangs.
func TestForwardRefusesAtOnce(t *testing.T) {
	b := newBackend(t, hangs)
	gate := make(chan struct{})
	s := newServer(t, func(c *config) { c.between = func(s ingest.Spool) ingest.Spool { return &slow{s, gate} } })
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.MaxInFlight, f.Deadline = 1, time.Hour }))
	var first sync.WaitGroup
	first.Go(func() { io.WriteString(s.dial(), request("POST", priceHook, "{}")) })
	first.Wait()
	eventually(t, func() bool { return s.handler.Reserved() > 0 }, "the first request")
	if got := s.post(priceHook, "{}"); got.body != instead {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	close(gate)
	var refused event.Record
	for _, r := range s.partly(2) {
		if r.Outcome != nil {
			refused = r
		}
	}
	if refused.Outcome == nil || refused.Outcome.Fallback != event.FallbackInFlight {
		t.Errorf("%+v", refused)
	}
}

// partly takes n records while a request is in flight.
func (s *server) partly(n int) (list []event.Record) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	for len(list) < n {
		batch, err := s.spool.Next(ctx, spool.Limits{Records: 1, Bytes: 1, Age: time.Millisecond})
		if err != nil {
			s.t.Fatalf("%d records, want %d: %v", len(list), n, err)
		}
		for _, data := range batch.Records {
			var r event.Record
			if err := r.Unmarshal(data); err != nil {
				s.t.Fatal(err)
			}
			list = append(list, r)
		}
		if err := s.spool.Ack(batch); err != nil {
			s.t.Fatal(err)
		}
	}
	return list
}

// TestForwardOfHTTP2: an endpoint that speaks HTTP/2 may claim any status and any lengths. The bot's answer, in HTTP/1,
// stays one answer.
func TestForwardOfHTTP2(t *testing.T) {
	for name, c := range map[string]struct {
		status  string
		lengths []string
		body    string // that the bot gets
	}{"two lengths": {"200", []string{"2", "9"}, "{}"}, "no length": {"200", []string{"2x"}, "{}"},
		"one length": {"200", []string{"2"}, "{}"}, "status 42": {"42", nil, instead},
		"status 1000": {"1000", nil, instead}} {
		t.Run(name, func(t *testing.T) {
			url, ca := newHTTP2Backend(t, c.status, c.lengths)
			s := newServer(t, nil)
			s.forwards(forwarding(url, func(f *ingest.Forward) {
				f.Endpoint.TLS = outbound.TLSOptions{CAFile: ca, ServerName: "example.com"}
			}))
			got := s.post(priceHook, "{}")
			if got.StatusCode != 200 || got.body != c.body {
				t.Errorf("the bot got %d %v %q", got.StatusCode, got.Header, got.body)
			}
			if lengths := got.Header["Content-Length"]; name == "one length" != slices.Equal(lengths, []string{"2"}) &&
				c.body != instead {
				t.Errorf("the bot got the lengths %q", lengths)
			}
			s.outcome()
		})
	}
}

// newHTTP2Backend answers each request in HTTP/2 with a header as it is given, and the body {}. It returns its URL and
// the file of its certificate.
func newHTTP2Backend(t *testing.T, status string, lengths []string) (url, ca string) {
	t.Helper()
	authority := httptest.NewTLSServer(nil) // for its certificate
	authority.Close()
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: authority.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	config := authority.TLS.Clone()
	config.NextProtos = []string{"h2"}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	connections.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(t.Context(), func() { c.Close() })
			connections.Go(func() {
				defer c.Close()
				serveHTTP2(c, status, lengths)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); connections.Wait() })
	return "https://" + listener.Addr().String(), ca
}

func serveHTTP2(c net.Conn, status string, lengths []string) {
	if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	framer := http2.NewFramer(c, c)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			var block strings.Builder
			encoder := hpack.NewEncoder(&block)
			_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: status})
			for _, length := range lengths {
				_ = encoder.WriteField(hpack.HeaderField{Name: "content-length", Value: length})
			}
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.StreamID,
				BlockFragment: []byte(block.String()), EndHeaders: true})
			_ = framer.WriteData(frame.StreamID, true, []byte("{}"))
		}
	}
}

// TestForwardTooLarge: a bot never sees hooktape's own errors.
func TestForwardTooLarge(t *testing.T) {
	b := newBackend(t, hangs)
	s := newServer(t, nil)
	source := forwarding(b.url, nil)
	source.MaxBody = 10
	s.forwards(source)
	if got := s.post(priceHook, strings.Repeat("x", 11)); got.StatusCode != 200 || got.body != instead {
		t.Errorf("the bot got %d %s", got.StatusCode, got.body)
	}
	if r := s.records(1)[0]; r.Verdict != event.TooLarge || r.Outcome != nil {
		t.Errorf("%+v", r)
	}
	if got := fmt.Sprint(len(b.seen())); got != "0" {
		t.Errorf("%s requests were forwarded", got)
	}
}

// TestForwardExpects: keys are found in each encoding that is known, in large answers too. Unzipped text is limited as
// an answer is.
func TestForwardExpects(t *testing.T) {
	many := `{"price":"7",` + strings.Repeat(`"":0,`, 200<<10) + `"paid":"no"}`
	for name, c := range map[string]struct {
		encoding, body string
		missing        []string
		err            string
	}{
		"plain":         {"", `{"price":"7"}`, []string{"paid"}, ""},
		"gzip":          {"gzip", zipped(`{"price":"7","paid":1}`), nil, ""},
		"GZIP":          {"GZIP", zipped(`{"price":"7"}`), []string{"paid"}, ""},
		"x-gzip":        {"x-gzip", zipped(`{"price":"7"}`), []string{"paid"}, ""},
		"br":            {"br", "x", nil, "Content-Encoding"},
		"no gzip":       {"gzip", "{}", nil, "not searched"},
		"many members":  {"", many, nil, ""},
		"zip bomb":      {"gzip", zipped(strings.Repeat(" ", 8<<20) + "{}"), nil, "unzipped"},
		"trailing text": {"", `{"price":"7","paid":1} x`, []string{"price", "paid"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s",
				c.encoding, len(c.body), c.body)))
			s := newServer(t, nil)
			s.forwards(forwarding(b.url, func(f *ingest.Forward) {
				f.Expect, f.MaxAnswer = []string{"price", "paid"}, 2<<20
			}))
			if got := s.post(priceHook, "{}"); got.body != c.body {
				t.Errorf("the bot got %.100q", got.body)
			}
			if _, a := s.outcome(); !slices.Equal(a.MissingKeys, c.missing) || !strings.Contains(a.Error, c.err) ||
				(a.Error == "") != (c.err == "") {
				t.Errorf("recorded: %q, %q", a.MissingKeys, a.Error)
			}
		})
	}
}
