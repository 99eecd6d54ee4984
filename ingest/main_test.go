package ingest_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

// The telemetry of this process, shared by all tests of the package.
var (
	spans   = tracetest.NewInMemoryExporter()
	metrics = metric.NewManualReader()
)

// TestMain closes idle connections: clickhouse-go leaks one that it closes right after an error response.
func TestMain(m *testing.M) {
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(metrics)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const (
	token    = "first-token-8Qx2"
	newToken = "second-token-W7s"
	signing  = "signing-token"
	// other is the token of another source.
	other = "other-source-token"
)

var sources = []ingest.Source{
	{Name: "demo", Tokens: []string{token, newToken}, MaxBody: 100_000},
	{Name: "chat", Tokens: []string{token}, SigningTokens: []string{signing, "next-" + signing}},
	{Name: "демо", Tokens: []string{other}},
	{Name: "small", Tokens: []string{other}, MaxBody: 1000},
}

// server is an ingest server on a real listener and a real spool.
type server struct {
	t       *testing.T
	addr    string
	spool   *spool.Spool
	dir     string // of the spool
	log     *testutil.Log
	handler *ingest.Server
	stop    func() error
	client  *tls.Config // TLS configuration of clients; nil if the server speaks plain HTTP
}

type config struct {
	options ingest.Options
	spool   spool.Options
	dir     string // of the spool, if not a new one
	lag     ingest.Lag
	client  *tls.Config
	// listener, if set, wraps the server's listener.
	listener func(net.Listener) net.Listener
	// between, if set, wraps the spool that the server uses.
	between func(ingest.Spool) ingest.Spool
}

func newServer(t *testing.T, change func(*config)) *server {
	t.Helper()
	c := config{options: ingest.DefaultOptions(), spool: spool.DefaultOptions(),
		between: func(s ingest.Spool) ingest.Spool {
			return s
		}}
	c.options.Limits.RejectedPerAddress = ingest.Rate{PerSecond: 1, Burst: 1000}
	c.options.Limits.RejectedTotal = ingest.Rate{PerSecond: 1, Burst: 1000}
	c.spool.MinFree, c.spool.Logger = 0, slog.New(slog.DiscardHandler)
	if change != nil {
		change(&c)
	}
	s := &server{t: t, dir: cmp.Or(c.dir, t.TempDir()), log: &testutil.Log{}, client: c.client}
	var err error
	if s.spool, err = spool.Open(s.dir, c.spool); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.spool.Close() })
	logger := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.handler, err = ingest.NewServer(c.options, ingest.NewSources(sources), c.between(s.spool), func() ingest.Lag {
		return c.lag
	}, logger)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = listener.Addr().String()
	if c.listener != nil {
		listener = c.listener(listener)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.handler.Serve(ctx, listener) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-served })
	t.Cleanup(func() {
		if err := s.stop(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// encrypted makes a server use TLS, in the way of hooktape's own certificates.
func encrypted(c *config) {
	authority := httptest.NewTLSServer(nil) // for its certificate of 127.0.0.1
	authority.Close()
	c.options.TLS = &tls.Config{Certificates: authority.TLS.Certificates,
		NextProtos: []string{"h2", "http/1.1", "acme-tls/1"}}
	c.client = authority.Client().Transport.(*http.Transport).TLSClientConfig
	c.client.ServerName = "127.0.0.1"
}

// listeners runs a test with a plain HTTP server and with a TLS server.
func listeners(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("HTTP", func(t *testing.T) { test(t, newServer(t, nil)) })
	t.Run("TLS", func(t *testing.T) { test(t, newServer(t, encrypted)) })
}

// dial opens a connection, which is closed when the test ends.
func (s *server) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.client != nil {
		conn = tls.Client(conn, s.client)
	}
	conn.SetDeadline(time.Now().Add(testutil.Patience))
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

func (s *server) read(r *bufio.Reader, method string) answer {
	s.t.Helper()
	response, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		s.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("incomplete answer: %v", err)
	}
	return answer{response, string(body)}
}

// raw sends bytes unchanged and reads one answer.
func (s *server) raw(request string) answer {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	go io.WriteString(conn, request) // the answer may arrive before the request is completely sent
	method, _, _ := strings.Cut(request, " ")
	return s.read(bufio.NewReader(conn), method)
}

// request returns a request with a Content-Length.
func request(method, target, body string, headers ...string) string {
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: hooks.example.com",
		fmt.Sprintf("Content-Length: %d", len(body))}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

func (s *server) post(target, body string, headers ...string) answer {
	s.t.Helper()
	return s.raw(request("POST", target, body, headers...))
}

// take takes n captured requests out of the spool. The test fails if there are fewer or more.
func (s *server) take(n int) []event.Received {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	var list []event.Received
	for len(list) < n {
		batch, err := s.spool.Next(ctx, spool.Limits{Records: 1, Bytes: 1, Age: time.Millisecond})
		if err != nil {
			s.t.Fatalf("%d captured, want %d: %v", len(list), n, err)
		}
		for _, record := range batch.Records {
			var r event.Received
			if err := r.Unmarshal(record); err != nil {
				s.t.Fatal(err)
			}
			list = append(list, r)
		}
		if err := s.spool.Ack(batch); err != nil {
			s.t.Fatal(err)
		}
	}
	s.nothing()
	if len(list) != n {
		s.t.Fatalf("%d captured, want %d: %+v", len(list), n, list)
	}
	return list
}

// one takes the only captured request.
func (s *server) one() event.Received {
	s.t.Helper()
	return s.take(1)[0]
}

// nothing verifies that no request is captured.
func (s *server) nothing() {
	s.t.Helper()
	if n := s.spool.Stat().Records; n != 0 {
		s.t.Errorf("%d more requests captured", n)
	}
}

func headerOf(r event.Received, name string) (values []string) {
	for _, h := range r.Headers {
		if h.Name == name {
			values = append(values, h.Value)
		}
	}
	return values
}

// sums adds a counter's values for each combination of some attributes.
func sums(t *testing.T, counter string, keys ...string) map[string]int64 {
	t.Helper()
	counts := map[string]int64{}
	for _, m := range collect(t) {
		if m.Name != counter {
			continue
		}
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			var label []string
			for _, kv := range p.Attributes.ToSlice() {
				if slices.Contains(keys, string(kv.Key)) {
					label = append(label, kv.Value.String())
				}
			}
			counts[strings.Join(label, " ")] += p.Value
		}
	}
	return counts
}

func collect(t *testing.T) (list []metricdata.Metrics) {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := metrics.Collect(context.Background(), &rm); err != nil {
		t.Fatal(err)
	}
	for _, scope := range rm.ScopeMetrics {
		list = append(list, scope.Metrics...)
	}
	return list
}

// since returns by how much counts have grown.
func since(before, after map[string]int64) map[string]int64 {
	grown := map[string]int64{}
	for k, v := range after {
		if v != before[k] {
			grown[k] = v - before[k]
		}
	}
	return grown
}

func fixture(t *testing.T, name string) string {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("..", "internal", "bothelp", "testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

var localhost = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func trusting(c *config) { c.options.TrustedProxies = localhost }

// raws sends several requests in one write and returns the statuses of all answers.
func (s *server) raws(requests string) (statuses []int) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	io.WriteString(conn, requests)
	r := bufio.NewReader(conn)
	for range strings.Count(requests, " HTTP/1.1\r\n") {
		statuses = append(statuses, s.read(r, "POST").StatusCode)
	}
	return statuses
}
