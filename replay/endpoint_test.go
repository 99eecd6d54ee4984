package replay_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/replay"
)

// rawEndpoint answers each connection with whatever serve writes, once it has read the request's header.
func rawEndpoint(t *testing.T, serve func(*net.TCPConn)) string {
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
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				io.Copy(io.Discard, r.Body)
				serve(conn.(*net.TCPConn))
			}
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return "http://" + listener.Addr().String() + "/"
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return "http://" + listener.Addr().String() + "/"
}

// TestFailingEndpoints: a failure's outcome, text and status are stored, and it is tried again only where that may help.
// TestWhatCanGoWrong has more failures, and TestGivingUp has what is tried again.
func TestFailingEndpoints(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
		w.Header().Set("Location", "/200")
		w.WriteHeader(status)
		fmt.Fprint(w, "said ", status)
	}))
	defer server.Close()
	address := func(url string) string { return strings.Trim(strings.TrimPrefix(url, "http://"), "/") }
	refused := closedPort(t)

	cases := map[string]struct {
		url     string
		outcome event.Outcome
		status  uint16
		err     string // a part of it
		retried bool
	}{
		"refused": {refused, event.OutcomeNoConn, 0, "connect to " + address(refused) + ": connection refused", true},
		"closed without an answer": {rawEndpoint(t, func(*net.TCPConn) {}), event.OutcomeBroken, 0,
			"the endpoint closed the connection", true},
		"closed in mid-body": {rawEndpoint(t, func(c *net.TCPConn) {
			c.Write([]byte("HTTP/1.1 200 Fine\r\nContent-Length: 10\r\n\r\n12345"))
		}), event.OutcomeDelivered, 200, "answered 200 Fine, then: the endpoint closed the connection in mid-answer", false},
		"301": {server.URL + "/301", event.OutcomeStatus, 301, "answered 301 Moved Permanently", false},
		"404": {server.URL + "/404", event.OutcomeStatus, 404, "answered 404 Not Found", false},
		"429": {server.URL + "/429", event.OutcomeStatus, 429, "answered 429 Too Many Requests", true},
		"500": {server.URL + "/500", event.OutcomeStatus, 500, "answered 500 Internal Server Error", true},
		"204": {server.URL + "/204", event.OutcomeDelivered, 204, "", false},
	}
	db := newStore(t)
	events := map[string]event.Event{}
	replays := map[string]event.Replay{}
	for name := range cases {
		events[name] = newEvent(name, len(events))
	}
	insert(t, db, values(events)...)
	for name, c := range cases {
		replays[name] = startReplay(t, db, name, c.url, func(r *event.Replay) { r.MaxAttempts = 2 })
	}
	begun := time.Now()
	startSender(t, db, t.TempDir(), private)
	for name, c := range cases {
		awaitDone(t, db, replays[name].ID, 4*time.Minute) // there are many at once, and a slow machine takes its time
		attempts := attemptsOf(t, db, events[name].ID)
		want, state := 1, event.Failed
		if c.retried {
			want = 2
		}
		if c.outcome == event.OutcomeDelivered {
			state = event.Delivered
		}
		if len(attempts) != want {
			t.Errorf("%s: attempts %s, want %d", name, outcomes(attempts), want)
		}
		for i, a := range attempts {
			if a.Outcome != c.outcome || a.StatusCode != c.status || !strings.Contains(a.Error, c.err) || (a.Error == "") != (c.err == "" && c.outcome == event.OutcomeDelivered) {
				t.Errorf("%s: attempt %q %d %q\n     want %q %d %q", name, a.Outcome, a.StatusCode, a.Error, c.outcome, c.status, c.err)
			}
			if a.Number != uint32(i+1) || a.URL != c.url || a.TraceID == [16]byte{} || a.Duration <= 0 || a.StartedAt.Before(begun.Truncate(time.Microsecond)) || a.StartedAt.After(time.Now()) {
				t.Errorf("%s: attempt %+v, want number %d since %s", name, a, i+1, begun)
			}
		}
		d := deliveryOf(t, db, events[name].ID)
		why := attempts[len(attempts)-1].Error
		if d.State == event.Delivered {
			why = "" // what is wrong with an answer's body is not the delivery's
		}
		if d.State != state || int(d.Attempts) != want || d.StatusCode != c.status || !strings.HasPrefix(d.Error, why) || (d.Error == "") != (why == "") {
			t.Errorf("%s: delivery %+v", name, d)
		}
	}
}

func values(m map[string]event.Event) (list []event.Event) {
	for _, e := range m {
		list = append(list, e)
	}
	return list
}

// TestRetriesUntilItWorks: what fails for a while is delivered in the end; later attempts keep the Idempotency-Key.
func TestRetriesUntilItWorks(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 3)
	insert(t, db, events...)
	var got receiver
	var failures atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.note(r)
		if r.Header.Get("X-Hooktape-Event-Id") == events[1].ID.String() && failures.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	awaitDone(t, db, startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.MaxAttempts = 5 }).ID, 30*time.Second)
	if list := outcomes(attemptsOf(t, db, events[1].ID)); list != "1:bad_status 2:bad_status 3:delivered" {
		t.Errorf("attempts %s", list)
	}
	var numbers []string
	keys := map[string]bool{}
	for _, r := range got.all() {
		if r.id == events[1].ID.String() {
			numbers = append(numbers, r.attempt)
			keys[r.header.Get("Idempotency-Key")] = true
		}
	}
	if !slices.Equal(numbers, []string{"1", "2", "3"}) || len(keys) != 1 {
		t.Errorf("attempts seen by the endpoint: %v with keys %v", numbers, keys)
	}
	if others := got.countByID(); others[events[0].ID.String()] != 1 || others[events[2].ID.String()] != 1 {
		t.Errorf("the events that did not fail were sent %v times", others)
	}
}

// TestDeadEndpointSlowsNoOther: a job whose endpoint hangs does not hold up another.
func TestDeadEndpointSlowsNoOther(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	dead, healthy := newEvents("dead", 2), newEvents("healthy", 50)
	insert(t, db, append(dead, healthy...)...)
	release := make(chan struct{})
	var got receiver
	hanging := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-release }))
	defer hanging.Close()
	defer close(release)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got.note(r) }))
	defer endpoint.Close()
	startReplay(t, db, "dead", hanging.URL, func(r *event.Replay) { r.Endpoint = "dead" })
	r := startReplay(t, db, "healthy", endpoint.URL, nil)
	startSender(t, db, t.TempDir(), private, endpointAt("dead", hanging.URL, func(e *replay.Endpoint) {
		e.Subscribe, e.Timeout = nil, 10*time.Minute // longer than anyone waits here
	}))
	awaitDone(t, db, r.ID, atLeast)
	assertEachOnce(t, healthy, &got)
}

// TestAnswerIsKept: the first 16 KiB as they came, compressed or not, and every header line.
func TestAnswerIsKept(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, "packed answer")
	z.Close()
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("X-Twice", "1")
		w.Header().Add("X-Twice", "2")
		switch r.URL.Path {
		case "/long":
			w.Write(long)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(packed.Bytes())
		}
	}))
	defer endpoint.Close()
	want := map[string][]byte{"/long": long[:16<<10], "/gzip": packed.Bytes(), "/empty": {}}
	db := newStore(t)
	events := map[string]event.Event{}
	for path := range want {
		e := newEvent(path, len(events))
		e.Headers = append(e.Headers, event.Header{Name: "Accept-Encoding", Value: "gzip"})
		events[path] = e
	}
	insert(t, db, values(events)...)
	startSender(t, db, t.TempDir(), private)
	for path, body := range want {
		awaitDone(t, db, startReplay(t, db, path, endpoint.URL+path, nil).ID, 20*time.Second)
		attempts := attemptsOf(t, db, events[path].ID)
		if len(attempts) != 1 || attempts[0].Outcome != event.OutcomeDelivered || !bytes.Equal(attempts[0].ResponseBody, body) {
			t.Errorf("%s: attempts %s; the answer has %d bytes, want %d", path, outcomes(attempts), len(attempts[0].ResponseBody), len(body))
		}
		if h := attempts[0].ResponseHeaders; !hasHeader(h, "X-Twice", "1") || !hasHeader(h, "X-Twice", "2") || hasHeader(h, "Content-Encoding", "gzip") != (path == "/gzip") {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

// TestForbiddenAddresses: a replay reaches nothing of this machine unless the configuration allows it. TestForbiddenAtEveryDial
// has the addresses.
func TestForbiddenAddresses(t *testing.T) {
	t.Parallel()
	var reached atomic.Int32
	local := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer local.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(local.URL, "http://"), ":")
	db := newStore(t)
	events := []event.Event{newEvent("127.0.0.1", 0), newEvent("localhost", 1)}
	insert(t, db, events...)
	startSender(t, db, t.TempDir(), replay.Options{})
	var made []event.Replay
	for _, e := range events {
		made = append(made, startReplay(t, db, e.Source, "http://"+e.Source+":"+port+"/", func(r *event.Replay) { r.MaxAttempts = 1 }))
	}
	for i, e := range events {
		awaitDone(t, db, made[i].ID, 30*time.Second)
		attempts := attemptsOf(t, db, e.ID)
		if len(attempts) != 1 || attempts[0].Outcome != event.OutcomeForbidden || !strings.Contains(attempts[0].Error, "replay.allow_private") {
			t.Errorf("%s: attempts %+v", e.Source, attempts)
		}
	}
	if reached.Load() != 0 {
		t.Errorf("%d requests have reached this machine", reached.Load())
	}
}

// TestPublicOnly: of two replays to one private URL, the one whose maker may not send there sends nothing, though the configuration
// allows the URL; the other sends.
func TestPublicOnly(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	var got receiver
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.note(r) }))
	defer endpoint.Close()
	events := newEvents("demo", 3)
	insert(t, db, events...)
	startSender(t, db, t.TempDir(), private)
	var made []event.Replay
	for _, publicOnly := range []bool{true, false, true} {
		made = append(made, startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.PublicOnly = publicOnly }))
	}
	for _, r := range made {
		awaitDone(t, db, r.ID, 30*time.Second)
		counts, err := db.CountDeliveries(context.Background(), r.ID)
		want := event.Delivered
		if r.PublicOnly {
			want = event.Failed
		}
		if err != nil || counts[want] != 3 {
			t.Errorf("public only %t: %v, %v", r.PublicOnly, counts, err)
		}
	}
	for _, a := range attemptsOf(t, db, events[0].ID) {
		if refused := a.ReplayID != made[1].ID; refused != (a.Outcome == event.OutcomeForbidden) || len(a.ResponseBody) > 0 {
			t.Errorf("attempt %+v", a)
		}
	}
	if len(got.all()) != 3 {
		t.Errorf("%d requests have arrived", len(got.all()))
	}
}

// TestSentRequest: what arrives is what came, but for the headers of one hop, of the way to us, and of ours.
func TestSentRequest(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	e := newEvent("demo", 1)
	e.Body = []byte("\xef\xbb\xbf{\"a\":\"\xff\x00\"}\r\n")
	kept := http.Header{
		"Content-Type":     {"application/ json"},
		"Content-Encoding": {"gzip"},
		"Accept":           {"*/*", "text/html;q=0.1"},
		"Accept-Encoding":  {"gzip, br"},
		"X-Wh-Sign":        {"sha256=00ff"},
		"X-Custom":         {"one", "", "three \xff"},
		"X-Custom-Id":      {"r-1"},
		"Pragma":           {"x"},
	}
	dropped := map[string]string{
		"X-Request-Id": "r-1", "Connection": "keep-alive, X-Hop ,close", "X-Hop": "1", "Keep-Alive": "timeout=5", "Proxy-Authenticate": "Basic", "Proxy-Authorization": "Basic eDp5",
		"Proxy-Connection": "keep-alive", "Te": "trailers", "Trailer": "X-T", "Transfer-Encoding": "chunked", "Upgrade": "h2c", "Expect": "100-continue",
		"Host": "hooks.example.com", "Content-Length": "7", "X-Hooktape-Attempt": "99", "X-Hooktape-Event-Id": "forged", "X-Hooktape-Anything": "forged",
		"Idempotency-Key": "forged", "Traceparent": "00-11111111111111111111111111111111-2222222222222222-01", "Tracestate": "a=b", "Baggage": "a=b",
		"Forwarded": "for=192.0.2.1", "X-Forwarded-For": "192.0.2.1", "X-Real-Ip": "192.0.2.1", "X-Original-Uri": "/hooks/demo/***", "Via": "1.1 proxy",
		"Authorization": "Basic eDp5", "Cookie": "a=b",
	}
	e.Headers = nil
	for name, values := range kept {
		for _, value := range values {
			e.Headers = append(e.Headers, event.Header{Name: name, Value: value})
		}
	}
	for name, value := range dropped {
		e.Headers = append(e.Headers, event.Header{Name: name, Value: value})
	}
	empty := newEvent("empty", 2)
	empty.Body, empty.BodySHA256 = nil, sha256.Sum256(nil)
	empty.Headers = []event.Header{{Name: "User-Agent", Value: "BotHelp/1.0"}}
	insert(t, db, e, empty)

	type request struct {
		*http.Request
		body []byte
	}
	requests := make(chan request, 2)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- request{r, body}
	}))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	replayed := startReplay(t, db, "demo", endpoint.URL+"/crm?key=a%2Fb", nil)
	r := <-requests
	awaitDone(t, db, replayed.ID, 20*time.Second)
	d, attempts := deliveryOf(t, db, e.ID), attemptsOf(t, db, e.ID)

	want := kept.Clone()
	want.Set("Content-Length", fmt.Sprint(len(e.Body)))
	want.Set("X-Hooktape-Event-Id", e.ID.String())
	want.Set("X-Hooktape-Replay-Id", replayed.ID.String())
	want.Set("X-Hooktape-Attempt", "1")
	want.Set("X-Hooktape-Received-At", e.ReceivedAt.Format(time.RFC3339Nano))
	want.Set("Idempotency-Key", d.IdempotencyKey())
	got := r.Header.Clone()
	if parent := got.Get("Traceparent"); !strings.HasPrefix(parent, fmt.Sprintf("00-%x-", attempts[0].TraceID)) || attempts[0].TraceID == e.TraceID {
		t.Errorf("traceparent %q, the attempt's trace is %x, the arrival's %x", parent, attempts[0].TraceID, e.TraceID)
	}
	sent := http.Header{"Content-Length": got["Content-Length"]} // which is the client's
	for _, h := range attempts[0].RequestHeaders {
		sent.Add(h.Name, h.Value)
	}
	if !reflect.DeepEqual(sent, got) {
		t.Errorf("the attempt's headers are kept as\n%q, and came as\n%q", sent, got)
	}
	got.Del("Traceparent")
	for name := range want {
		if !reflect.DeepEqual(got[name], want[name]) {
			t.Errorf("%s: %q, want %q", name, got[name], want[name])
		}
	}
	for name := range got {
		if want[name] == nil {
			t.Errorf("%s: %q, want none", name, got[name])
		}
	}
	if !bytes.Equal(r.body, e.Body) || r.Method != "POST" || r.RequestURI != "/crm?key=a%2Fb" || r.Host != strings.TrimPrefix(endpoint.URL, "http://") {
		t.Errorf("%s %s to %s with body %q", r.Method, r.RequestURI, r.Host, r.body)
	}

	startReplay(t, db, "empty", endpoint.URL, nil)
	r = <-requests
	if r.Header.Get("User-Agent") != "BotHelp/1.0" || len(r.body) != 0 || r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
		t.Errorf("the empty request came as %v, length %d", r.Header, r.ContentLength)
	}
}

// TestIdempotencyKey: the same event to the same endpoint has one key over all replays.
func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	insert(t, db, newEvents("demo", 1)...)
	var got receiver
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got.note(r) }))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	for range 2 {
		awaitDone(t, db, startReplay(t, db, "demo", endpoint.URL, nil).ID, 20*time.Second)
	}
	awaitDone(t, db, startReplay(t, db, "demo", endpoint.URL+"/other", nil).ID, 20*time.Second)
	r := got.all()
	if len(r) != 3 {
		t.Fatalf("%d requests for 3 replays", len(r))
	}
	keys := []string{r[0].header.Get("Idempotency-Key"), r[1].header.Get("Idempotency-Key"), r[2].header.Get("Idempotency-Key")}
	if keys[0] == "" || keys[0] != keys[1] || keys[0] == keys[2] {
		t.Errorf("keys %q", keys)
	}
}

// TestOnlyAcceptedEventsAreSent: whatever the selection says, what strangers sent goes nowhere.
func TestOnlyAcceptedEventsAreSent(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	var events []event.Event
	for i, v := range event.Verdicts {
		e := newEvent("demo", i)
		e.Verdict = v
		events = append(events, e)
	}
	insert(t, db, events...)
	var got receiver
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got.note(r) }))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.Selection.Verdicts = event.Verdicts })
	awaitDone(t, db, r.ID, 20*time.Second)
	assertEachOnce(t, events[:1], &got)
	counts, err := db.CountDeliveries(context.Background(), r.ID)
	if err != nil || !reflect.DeepEqual(counts, map[event.DeliveryState]uint64{event.Delivered: 1}) {
		t.Errorf("deliveries %v, %v", counts, err)
	}
}
