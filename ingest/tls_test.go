package ingest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"hooktape/event"
	"hooktape/ingest"
)

// secure gives a server a certificate, and returns a client that speaks HTTP/2 to it on one connection.
func secure(t *testing.T, c *config) *http.Client {
	t.Helper()
	authority := httptest.NewTLSServer(nil) // for its certificate of 127.0.0.1
	t.Cleanup(authority.Close)
	c.options.TLS = &tls.Config{Certificates: authority.TLS.Certificates}
	trusted := authority.Client().Transport.(*http.Transport).TLSClientConfig
	transport := &http.Transport{TLSClientConfig: trusted.Clone(), ForceAttemptHTTP2: true, MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestHTTP2: an event that came by HTTP/2 is the event that it would have been, and its span tells how it came.
func TestHTTP2(t *testing.T) {
	spans.Reset()
	var client *http.Client
	s := newServer(t, func(c *config) { client = secure(t, c) })
	const body = `{"name":"Доп данные", "user_id": 1.0}`
	response, err := client.Post("https://"+s.addr+"/hooks/demo/"+token+"/st%41rt?lang=ru", "application/ json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := io.ReadAll(response.Body)
	response.Body.Close()
	if response.StatusCode != 200 || response.ProtoMajor != 2 || !strings.Contains(string(answer), `"id":"`) {
		t.Errorf("%s %s %s", response.Proto, response.Status, answer)
	}
	e := s.one()
	if string(e.Body) != body || e.Verdict != event.Accepted || e.Path != "/hooks/demo/***/st%41rt" || e.Step != "stArt" || e.Query != "lang=ru" || e.RemoteIP.String() != "127.0.0.1" ||
		!slices.Equal(headerOf(e, "Host"), []string{s.addr}) || !slices.Equal(headerOf(e, "Content-Type"), []string{"application/ json"}) {
		t.Errorf("captured %+v", e)
	}
	client.CloseIdleConnections()
	s.stop()
	attributes := map[string]string{}
	for _, kv := range spans.GetSpans()[0].Attributes {
		attributes[string(kv.Key)] = kv.Value.String()
	}
	if attributes["url.scheme"] != "https" || attributes["network.protocol.version"] != "2" {
		t.Errorf("the span says %v", attributes)
	}
	assertNoToken(t, "the log", s.log.String())
}

// TestScheme: without TLS of our own a trusted proxy's word counts, and nobody else's.
func TestScheme(t *testing.T) {
	for _, c := range []struct {
		change func(*config)
		header string
		want   string
	}{
		{nil, "X-Other: x", "http"}, {nil, "X-Forwarded-Proto: https", "http"},
		{trusting, "X-Forwarded-Proto: https", "https"}, {trusting, "X-Forwarded-Proto: gopher", "http"},
	} {
		spans.Reset()
		s := newServer(t, c.change)
		s.post("/hooks/demo/"+token, "{}", c.header)
		s.one()
		s.stop()
		said := attribute.NewSet(spans.GetSpans()[0].Attributes...)
		if scheme, _ := said.Value("url.scheme"); scheme.AsString() != c.want {
			t.Errorf("%s: %q, want %s", c.header, scheme.AsString(), c.want)
		}
	}
}

// crowd counts who appends at once.
type crowd struct {
	ingest.Spool
	now, most atomic.Int32
	full      chan struct{} // closed when it is as many as there is place for
	places    int32
	once      sync.Once
}

func (c *crowd) Append(ctx context.Context, record []byte) error {
	n := c.now.Add(1)
	defer c.now.Add(-1)
	if n > c.most.Load() {
		c.most.Store(n)
	}
	if n == c.places {
		c.once.Do(func() { close(c.full) })
	}
	<-c.full
	return c.Spool.Append(ctx, record)
}

// TestHTTP2Places: one connection cannot have more handled at once than there may be connections, and nothing is refused.
func TestHTTP2Places(t *testing.T) {
	const places, requests = 3, 20
	gate := &crowd{full: make(chan struct{}), places: places}
	var client *http.Client
	s := newServer(t, func(c *config) {
		client = secure(t, c)
		c.options.Limits.MaxConnections = places
		c.between = func(to ingest.Spool) ingest.Spool { gate.Spool = to; return gate }
	})
	var sending sync.WaitGroup
	for range requests {
		sending.Go(func() {
			response, err := client.Post("https://"+s.addr+"/hooks/demo/"+token, "", strings.NewReader("{}"))
			if err != nil {
				t.Error(err)
				return
			}
			response.Body.Close()
			if response.StatusCode != 200 || response.ProtoMajor != 2 {
				t.Errorf("%s %s", response.Proto, response.Status)
			}
		})
	}
	sending.Wait()
	s.take(requests)
	if most := gate.most.Load(); most > places {
		t.Errorf("%d are handled at once, and there are %d places", most, places)
	}
}

// TestHTTP2SlowBody: a body that stops coming is given up after the read timeout, and costs the connection's other
// requests nothing.
func TestHTTP2SlowBody(t *testing.T) {
	var client *http.Client
	s := newServer(t, func(c *config) {
		client = secure(t, c)
		c.options.Timeouts.Read, c.options.Timeouts.Write = 300*time.Millisecond, 5*time.Second
	})
	body, slow := io.Pipe()
	defer slow.Close()
	answered := make(chan int, 1)
	go func() {
		response, err := client.Post("https://"+s.addr+"/hooks/demo/"+token, "", body)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	io.WriteString(slow, `{"first":`)
	late := time.After(20 * time.Second)
	for status := 0; status == 0; {
		select {
		case <-late:
			t.Fatal("the slow one is not answered")
		case status = <-answered:
			if status != http.StatusRequestTimeout {
				t.Errorf("the slow one is answered with %d", status)
			}
		default:
			response, err := client.Get("https://" + s.addr + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		}
	}
	if e := s.one(); e.Verdict != event.Aborted || string(e.Body) != `{"first":` {
		t.Errorf("captured %s %q", e.Verdict, e.Body)
	}
}

// TestHTTP2Memory: streams of one connection are within the memory as connections are: strangers' bodies that do not fit
// are answered with 503, and a known source finds room.
func TestHTTP2Memory(t *testing.T) {
	var client *http.Client
	s := newServer(t, func(c *config) {
		client = secure(t, c)
		c.options.Limits.MaxMemory = 1 << 20
	})
	const streams, size = 20, 40 << 10 // strangers have 256 KiB, and each stream takes 80
	statuses := make(chan int, streams)
	var bodies []*io.PipeWriter
	for range streams {
		body, w := io.Pipe()
		bodies = append(bodies, w)
		go io.WriteString(w, strings.Repeat("x", size))
		go func() {
			response, err := client.Post("https://"+s.addr+"/hooks/nobody/x", "", body)
			if err != nil {
				t.Error(err)
				statuses <- 0
				return
			}
			response.Body.Close()
			if response.StatusCode == 503 && response.Header.Get("Retry-After") == "" {
				t.Error("503 without Retry-After")
			}
			statuses <- response.StatusCode
		}()
	}
	for range streams - 3 {
		if status := <-statuses; status != 503 {
			t.Errorf("%d", status)
		}
	}
	response, err := client.Post("https://"+s.addr+"/hooks/demo/"+token, "", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("a known source: %s", response.Status)
	}
	for _, w := range bodies {
		w.Close()
	}
	for range 3 {
		<-statuses
	}
}
