package ingest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

func TestProbes(t *testing.T) {
	s := newServer(t, func(c *config) {
		c.lag = ingest.Lag{Events: 3, Bytes: 99, Oldest: time.Now().Add(-time.Minute),
			Error: errors.New("dial /var/secret: http://user:password@host")}
	})
	if a := s.raw("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 200 || a.body != "ok\n" {
		t.Errorf("healthz: %s %q", a.Status, a.body)
	}
	a := s.raw("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
	if a.StatusCode != 200 || !strings.Contains(a.body, `"ready":true`) ||
		!strings.Contains(a.body, `"waiting_events":3`) || !strings.Contains(a.body, `"waiting_bytes":99`) ||
		!strings.Contains(a.body, `"behind_seconds":60`) || strings.Contains(a.body, "secret") ||
		strings.Contains(a.body, "password") {
		t.Errorf("readyz while ClickHouse is away: %s %s", a.Status, a.body)
	}
	for _, path := range []string{"/", "/metrics", "/debug/pprof/", "/hooks", "/hook/demo/x", "/healthz/",
		"/index.html", "*"} {
		if a := s.raw("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 404 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	if a := s.raw(request("POST", "/healthz", "")); a.StatusCode != 404 {
		t.Errorf("POST /healthz: %s", a.Status)
	}
	s.nothing()
}

// TestSpoolFull verifies that a full spool makes requests fail with 503 and readiness fail, until there is room again.
func TestSpoolFull(t *testing.T) {
	s := newServer(t, func(c *config) { c.spool.MaxBytes = 2000 })
	body, target := strings.Repeat("x", 1000), "/hooks/demo/"+token
	if a := s.post(target, body); a.StatusCode != 200 {
		t.Fatalf("with room: %s", a.Status)
	}
	before := sums(t, "hooktape.ingest.unavailable")
	if a := s.post(target, body); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" ||
		strings.Contains(a.body, "/") {
		t.Errorf("full: %s %v %s", a.Status, a.Header, a.body)
	}
	if grown := since(before, sums(t, "hooktape.ingest.unavailable")); grown[""] != 1 {
		t.Errorf("counted %v", grown)
	}
	if a := s.post("/hooks/nobody/x", body); a.StatusCode != 404 {
		t.Errorf("unknown sender while full: %s", a.Status)
	}
	s.take(1)
	if a := s.post(target, body); a.StatusCode != 200 {
		t.Errorf("with room again: %s", a.Status)
	}
	s.take(1)
}

// failing is a spool that fails with an error that contains a path.
type failing struct{ ingest.Spool }

var errWithPath = fmt.Errorf("%w: fsync /var/lib/secret-path/000123.log: input/output error", spool.ErrFailed)

func (failing) Append(context.Context, []byte, ...spool.Note) error { return errWithPath }
func (failing) Notes() ([]spool.Note, error)                        { return nil, nil }
func (failing) Ready() error                                        { return errWithPath }

func TestSpoolFailed(t *testing.T) {
	s := newServer(t, func(c *config) { c.between = func(to ingest.Spool) ingest.Spool { return failing{to} } })
	if a := s.post("/hooks/demo/"+token, "{}"); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" ||
		strings.Contains(a.body, "secret-path") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a := s.raw("GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 503 ||
		!strings.Contains(a.body, `"ready":false`) || strings.Contains(a.body, "secret-path") {
		t.Errorf("readyz: %s %s", a.Status, a.body)
	}
	// Health fails too, because only a restart helps, which a supervisor of /healthz triggers.
	if a := s.raw("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 503 ||
		strings.Contains(a.body, "secret-path") {
		t.Errorf("healthz: %s %s", a.Status, a.body)
	}
}

// TestSenderLeaves verifies that a request is accepted once its body is complete, although the sender disconnects.
func TestSenderLeaves(t *testing.T) {
	gate := &gated{entered: make(chan struct{}), open: make(chan struct{})}
	s := newServer(t, func(c *config) {
		c.between = func(to ingest.Spool) ingest.Spool { gate.Spool = to; return gate }
	})
	conn := s.dial()
	io.WriteString(conn, request("POST", "/hooks/demo/"+token, "{}"))
	<-gate.entered
	conn.Close()
	// The request's context ends while the spool is still writing.
	testutil.Eventually(t, func() error {
		if gate.request.Err() == nil && gate.looked.Add(1) < 20 {
			return errors.New("not yet")
		}
		return nil
	})
	close(gate.open)
	if e := s.one(); e.Verdict != event.Accepted || string(e.Body) != "{}" {
		t.Errorf("captured %s %q", e.Verdict, e.Body)
	}
}

// gated blocks the first record until its gate is opened.
type gated struct {
	ingest.Spool
	entered, open chan struct{}
	once          sync.Once
	request       context.Context
	looked        atomic.Int32
}

func (g *gated) Append(ctx context.Context, record []byte, notes ...spool.Note) error {
	g.once.Do(func() { g.request = ctx; close(g.entered); <-g.open })
	if err := ctx.Err(); err != nil {
		return err
	}
	return g.Spool.Append(ctx, record, notes...)
}

// panicking panics once.
type panicking struct {
	ingest.Spool
	value any
	done  atomic.Bool
}

func (p *panicking) Append(ctx context.Context, record []byte, notes ...spool.Note) error {
	if !p.done.Swap(true) {
		panic(p.value)
	}
	return p.Spool.Append(ctx, record, notes...)
}

func TestPanic(t *testing.T) {
	spans.Reset()
	s := newServer(t, func(c *config) {
		c.between = func(to ingest.Spool) ingest.Spool { return &panicking{Spool: to, value: errors.New("boom")} }
	})
	before := sums(t, "hooktape.ingest.panics")
	if a := s.post("/hooks/demo/"+token, "{}"); a.StatusCode != 500 || strings.Contains(a.body, "boom") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a := s.post("/hooks/demo/"+token, "{}"); a.StatusCode != 200 {
		t.Errorf("the next request: %s", a.Status)
	}
	s.one()
	s.stop()
	if grown := since(before, sums(t, "hooktape.ingest.panics")); !reflect.DeepEqual(grown, map[string]int64{"": 1}) {
		t.Errorf("counted %v", grown)
	}
	if !strings.Contains(s.log.String(), "panicked") {
		t.Errorf("the log:\n%s", s.log)
	}
	noted := 0
	for _, span := range spans.GetSpans() {
		for _, e := range span.Events {
			if e.Name == "panic" {
				noted++
			}
		}
	}
	if noted != 1 {
		t.Errorf("%d spans record the panic", noted)
	}
}

// TestSourcesChange verifies that no request is refused while the sources change, and that the new ones apply
// afterwards.
func TestSourcesChange(t *testing.T) {
	s := newServer(t, nil)
	ends := make(chan struct{})
	var posting sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var posted atomic.Int32
	for range 4 {
		posting.Go(func() {
			for {
				select {
				case <-ends:
					return
				default:
				}
				r, err := client.Post("http://"+s.addr+"/hooks/demo/"+token, "", strings.NewReader("{}"))
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if r.StatusCode != 200 {
					t.Errorf("while the sources change: got %s", r.Status)
					return
				}
				posted.Add(1)
			}
		})
	}
	for n := 0; n < 200 || posted.Load() < 100; n++ {
		s.handler.SetSources(ingest.NewSources([]ingest.Source{{Name: "demo",
			Tokens: []string{token, fmt.Sprint("token-", n)}}}))
		if t.Failed() {
			break
		}
	}
	close(ends)
	posting.Wait()
	s.handler.SetSources(ingest.NewSources([]ingest.Source{{Name: "demo", Tokens: []string{newToken}}}))
	if a := s.post("/hooks/demo/"+token, "{}"); a.StatusCode != 404 {
		t.Errorf("old token: %s", a.Status)
	}
	if a := s.post("/hooks/demo/"+newToken, "{}"); a.StatusCode != 200 {
		t.Errorf("new token: %s", a.Status)
	}
}

// TestShutdown verifies that a request in flight is completed, and that a new one is not accepted.
func TestShutdown(t *testing.T) {
	s := newServer(t, nil)
	conn := s.dial()
	whole := request("POST", "/hooks/demo/"+token, strings.Repeat("x", 1000))
	io.WriteString(conn, whole[:len(whole)-500])
	idle := s.dial()
	// An answer on a later connection shows that the server has accepted the earlier ones.
	s.post("/hooks/demo/"+token, "{}")
	s.take(1)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	testutil.Eventually(t, func() error {
		c, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + s.addr +
			"/healthz")
		if err == nil {
			c.Body.Close()
			return errors.New("the server still accepts connections")
		}
		return nil
	})
	select {
	case err := <-stopped:
		t.Fatalf("the shutdown did not wait for the request in flight: %v", err)
	default:
	}
	io.WriteString(conn, whole[len(whole)-500:])
	if a := s.read(bufio.NewReader(conn), "POST"); a.StatusCode != 200 {
		t.Errorf("request in flight: %s", a.Status)
	}
	idle.Close()
	if err := <-stopped; err != nil {
		t.Errorf("serve: %v", err)
	}
	if e := s.one(); len(e.Body) != 1000 || e.Verdict != event.Accepted {
		t.Errorf("captured %s with %d bytes", e.Verdict, len(e.Body))
	}
}

func TestOptions(t *testing.T) {
	if err := ingest.DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*ingest.Options){
		"read_header_timeout":  func(o *ingest.Options) { o.Timeouts.ReadHeader = 0 },
		"read_timeout":         func(o *ingest.Options) { o.Timeouts.Read = -1 },
		"write_timeout":        func(o *ingest.Options) { o.Timeouts.Write = 0 },
		"idle_timeout":         func(o *ingest.Options) { o.Timeouts.Idle = 0 },
		"max_header_bytes":     func(o *ingest.Options) { o.Limits.MaxHeaderBytes = 4095 },
		"max_connections:":     func(o *ingest.Options) { o.Limits.MaxConnections = 0 },
		"rejected_per_address": func(o *ingest.Options) { o.Limits.RejectedPerAddress.PerSecond = -1 },
		"rejected_total":       func(o *ingest.Options) { o.Limits.RejectedTotal.Burst = -1 },
	} {
		o := ingest.DefaultOptions()
		change(&o)
		if err := o.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ingest.NewServer(o, ingest.NewSources(nil), nil, nil, nil); err == nil {
			t.Errorf("%s: NewServer returned no error", name)
		}
	}
}
