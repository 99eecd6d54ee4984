package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/replay"
	"hooktape/web/api"
)

// TestStream verifies that a stream sends the progress immediately and every second, ends with the message end, and
// that each message conforms to the document.
func TestStream(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 30)...)
	r := f.create("shop", func(want *replay.Request) { want.Rate = 10 })
	response := f.stream(r.ID)
	defer response.Body.Close()
	if response.Header.Get("Content-Type") != "text/event-stream" || response.Header.Get("X-Accel-Buffering") != "no" ||
		response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("header of the stream: %v", response.Header)
	}
	check := f.web.Transport.(*checker)
	var names []string
	name := ""
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			name = value
			names = append(names, value)
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			schema := map[string]string{"progress": "Progress", "end": "End"}[name]
			if err := check.validate([]string{"components", "schemas", schema}, []byte(data)); err != nil {
				t.Errorf("%s: %v\n%s", name, err, data)
			}
		}
	}
	if n := len(names); n < 3 || names[n-1] != "end" || strings.Count(strings.Join(names, " "), "end") != 1 ||
		names[0] != "progress" {
		t.Errorf("got the messages %v", names)
	}
}

// stream opens a stream without the package's client.
func (f *fixture) stream(id uuid.UUID) *http.Response {
	f.t.Helper()
	request, err := http.NewRequest("GET", f.server.URL+"/api/v1/replays/"+id.String()+"/stream", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+readSecret)
	request.Header.Set("Last-Event-ID", "77")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		f.t.Fatal(err)
	}
	return response
}

// TestWatchOverLostConnections verifies that the client follows a replay to its end, although its connections are cut,
// and new ones are refused, answered by a gateway without hooktape, or not answered at all.
func TestWatchOverLostConnections(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 120)...)
	r := f.create("shop", func(want *replay.Request) { want.Rate = 1 })
	proxy := newProxy(t, f.server.Listener.Addr().String())
	client, err := api.NewClient("http://"+proxy.addr(), readSecret)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	hurry := sync.OnceValue(func() error {
		return f.client(replaySecret).Steer(context.Background(), r.ID, event.ActionRate, 1000, "")
	})
	addr := proxy.addr()
	faults := []struct{ fault, says string }{{refuses, "the API does not answer at " + addr + ": "},
		{badGateway, "answered 502 Bad Gateway"}, {hangs, "the API does not answer at " + addr + " within 3s"}}
	var last event.Replay
	var lost error // because of the last fault
	expected := "" // of the present fault
	ctx, cancel := context.WithTimeout(t.Context(), testutil.Patience)
	defer cancel()
	err = client.WithWatchTimeout(3*time.Second).Watch(ctx, r.ID, func(p api.Progress, why error) error {
		if why != nil {
			if lost = why; strings.Contains(why.Error(), expected) {
				proxy.fault.Store("")
				expected = ""
			}
			return nil
		}
		if p.Replay.Counts[event.Delivered] < last.Counts[event.Delivered] {
			t.Errorf("the number of delivered events fell from %d to %d", last.Counts[event.Delivered],
				p.Replay.Counts[event.Delivered])
		}
		last = p.Replay
		switch {
		case expected != "": // an answer that was under way
			return nil
		case len(faults) == 0:
			return hurry()
		}
		proxy.fault.Store(faults[0].fault)
		expected = faults[0].says
		faults = faults[1:]
		proxy.cut()
		return nil
	})
	if err != nil || last.State != event.ReplayCompleted || last.Counts[event.Delivered] != 120 {
		t.Errorf("watched to %s %v, %v", last.State, last.Counts, err)
	}
	if len(faults) > 0 || expected != "" {
		t.Errorf("the replay ended before the faults %v, during %q; lost because of %v", faults, expected, lost)
	}
}

// TestWatchReadsSelectionOnce verifies that the client does not read a long selection again and again.
func TestWatchReadsSelectionOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	events := newEvents("shop", 150)
	f.insert(events...)
	r := f.create("shop", func(want *replay.Request) {
		want.Rate = 1
		want.Selection = event.Selection{}
		for _, e := range events {
			want.Selection.IDs = append(want.Selection.IDs, e.ID)
		}
	})
	sizes := make(chan int, 10) // of answers
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		answer := httptest.NewRecorder()
		f.server.Config.Handler.ServeHTTP(answer, q)
		sizes <- answer.Body.Len()
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(between.Close)
	client, err := api.NewClient(between.URL, readSecret)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	enough, readings := errors.New("enough"), 0
	if err := client.Watch(context.Background(), r.ID, func(p api.Progress, lost error) error {
		if readings++; readings == 2 {
			return enough
		}
		return lost
	}); err != enough {
		t.Fatal(err)
	}
	if first, second := <-sizes, <-sizes; first-second < 50*len(events[0].ID.String()) {
		t.Errorf("the first answer has %d bytes, the second %d", first, second)
	}
}

// TestWatchEnds verifies that watching ends immediately when the callback returns an error, when ctx ends, and when the
// replay does not exist.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.insert(newEvents("shop", 100)...)
	r := f.create("shop", func(want *replay.Request) { want.Rate = 1 })
	client := f.client(readSecret)
	enough := errors.New("enough")
	if err := client.Watch(context.Background(), r.ID, func(api.Progress, error) error {
		return enough
	}); err != enough {
		t.Errorf("Watch returned %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := client.Watch(ctx, r.ID, func(api.Progress, error) error {
		cancel()
		return nil
	}); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch returned %v", err)
	}
	var problem *api.Problem
	err := client.Watch(context.Background(), uuid.New(), func(api.Progress, error) error {
		t.Error("the callback was called")
		return nil
	})
	if !errors.As(err, &problem) || problem.Status != http.StatusNotFound {
		t.Errorf("Watch of an unknown replay returned %v", err)
	}

	var open []*http.Response // all streams that are allowed
	refused := 0
	for range 10 {
		response := f.stream(r.ID)
		if response.StatusCode == http.StatusServiceUnavailable {
			refused++
		}
		open = append(open, response)
	}
	for _, response := range open {
		response.Body.Close()
	}
	if refused < 2 { // earlier streams may still be open
		t.Errorf("of 10 concurrent streams %d were refused, want 2 or more", refused)
	}
	testutil.Eventually(f.t, func() error {
		response := f.stream(r.ID)
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return errors.New("no stream is free yet")
		}
		return nil
	})
}

// The faults of a proxy.
const (
	refuses    = "refuses"     // connections
	badGateway = "bad gateway" // is its answer to a request
	hangs      = "hangs"       // until the client closes the connection
)

// proxy forwards connections, and can cut them. While it has a fault it forwards no new one.
type proxy struct {
	listener net.Listener
	to       string
	fault    atomic.Value // string; "" is none
	mu       sync.Mutex
	conns    []net.Conn
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, to: to}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.pass(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); p.cut(); running.Wait() })
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

func (p *proxy) pass(conn net.Conn) {
	defer conn.Close()
	switch p.fault.Load() {
	case refuses:
		return
	case badGateway:
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		return
	case hangs:
		_, _ = io.Copy(io.Discard, conn)
		return
	}
	onward, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer onward.Close()
	p.mu.Lock()
	p.conns = append(p.conns, conn, onward)
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(onward, conn); onward.Close() })
	both.Go(func() { _, _ = io.Copy(conn, onward); conn.Close() })
	both.Wait()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
