package replay_test

import (
	"bufio"
	"context"
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

// rawEndpoint reads a request's header on each connection and then calls serve, which writes the answer.
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

// TestFailingEndpoints verifies the stored outcome, text and status of failures, and which are retried.
// TestFailures of package outbound covers all failures, TestGivingUp all retries.
func TestFailingEndpoints(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var status int
		fmt.Sscanf(r.URL.Path, "/%d", &status)
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
		err     string // part of it
		retried bool
	}{
		"refused": {refused, event.OutcomeNoConn, 0, "connect to " + address(refused) + ": connection refused", true},
		"closed in mid-body": {rawEndpoint(t, func(c *net.TCPConn) {
			c.Write([]byte("HTTP/1.1 200 Fine\r\nContent-Length: 10\r\n\r\n12345"))
		}), event.OutcomeDelivered, 200, "answered 200 Fine, then: the endpoint closed the connection in mid-answer",
			false},
		"404": {server.URL + "/404", event.OutcomeStatus, 404, "answered 404 Not Found", false},
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
		// many replays run at the same time, which takes long on a slow machine
		awaitDone(t, db, replays[name].ID)
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
			if a.Outcome != c.outcome || a.StatusCode != c.status || !strings.Contains(a.Error, c.err) ||
				(a.Error == "") != (c.err == "" && c.outcome == event.OutcomeDelivered) {
				t.Errorf("%s: attempt %q %d %q\n     want %q %d %q", name, a.Outcome, a.StatusCode, a.Error, c.outcome,
					c.status, c.err)
			}
			if a.Number != uint32(i+1) || a.URL != c.url || a.TraceID == [16]byte{} || a.Duration <= 0 ||
				a.StartedAt.Before(begun.Truncate(time.Microsecond)) || a.StartedAt.After(time.Now()) {
				t.Errorf("%s: attempt %+v, want number %d since %s", name, a, i+1, begun)
			}
		}
		d := deliveryOf(t, db, events[name].ID)
		why := attempts[len(attempts)-1].Error
		if d.State == event.Delivered {
			why = "" // an unreadable body does not fail the delivery
		}
		if d.State != state || int(d.Attempts) != want || d.StatusCode != c.status ||
			!strings.HasPrefix(d.Error, why) || (d.Error == "") != (why == "") {
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

// TestRetriesUntilItWorks verifies that a delivery that fails for a while succeeds in the end, and that all attempts
// have the same Idempotency-Key.
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
	awaitDone(t, db, startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) {
		r.MaxAttempts = 5
	}).ID)
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
		t.Errorf("the endpoint got attempts %v with keys %v", numbers, keys)
	}
	if others := got.countByID(); others[events[0].ID.String()] != 1 || others[events[2].ID.String()] != 1 {
		t.Errorf("events that did not fail were sent %v times", others)
	}
}

// TestDeadEndpointSlowsNoOther verifies that a replay to a hanging endpoint does not delay another replay.
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
		e.Subscribe, e.Timeout = nil, 10*time.Minute // longer than any wait of this test
	}))
	awaitDone(t, db, r.ID)
	assertEachOnce(t, healthy, &got)
}

// TestPublicOnly verifies that a replay whose creator may not send to private addresses sends nothing to a private URL,
// although the configuration allows the URL, while another replay to the same URL sends.
func TestPublicOnly(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	events := newEvents("demo", 3)
	insert(t, db, events...)
	startSender(t, db, t.TempDir(), private)
	var made []event.Replay
	for _, publicOnly := range []bool{true, false, true} {
		made = append(made, startReplay(t, db, "demo", got.URL, func(r *event.Replay) { r.PublicOnly = publicOnly }))
	}
	for _, r := range made {
		awaitDone(t, db, r.ID)
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
		if refused := a.ReplayID != made[1].ID; refused != (a.Outcome == event.OutcomeForbidden) ||
			len(a.ResponseBody) > 0 {
			t.Errorf("attempt %+v", a)
		}
	}
	if len(got.all()) != 3 {
		t.Errorf("%d requests arrived", len(got.all()))
	}
}

// TestOnlyAcceptedEventsAreSent verifies that rejected events are not sent, whatever the selection says.
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
	got := startReceiver(t)
	startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", got.URL, func(r *event.Replay) { r.Selection.Verdicts = event.Verdicts })
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events[:1], got)
	counts, err := db.CountDeliveries(context.Background(), r.ID)
	if err != nil || !reflect.DeepEqual(counts, map[event.DeliveryState]uint64{event.Delivered: 1}) {
		t.Errorf("deliveries %v, %v", counts, err)
	}
}

// TestAttemptIsStored verifies that the table attempts has the headers and the trace that the endpoint got, and its
// answer unchanged, even if it is Latin-1.
func TestAttemptIsStored(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 1)
	insert(t, db, events...)
	var got receiver
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.note(r)
		w.Header().Set("X-City", "K\xf6ln")
		fmt.Fprint(w, "\xff\x00 ok")
	}))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	awaitDone(t, db, startReplay(t, db, "demo", endpoint.URL, nil).ID)
	assertEachOnce(t, events, &got)
	attempts := attemptsOf(t, db, events[0].ID)
	if len(attempts) != 1 || string(attempts[0].ResponseBody) != "\xff\x00 ok" ||
		!hasHeader(attempts[0].ResponseHeaders, "X-City", "K\xf6ln") {
		t.Fatalf("attempts %+v", attempts)
	}
	header := got.all()[0].header
	sent := http.Header{"Content-Length": header["Content-Length"]} // net/http writes it
	for _, h := range attempts[0].RequestHeaders {
		sent.Add(h.Name, h.Value)
	}
	if !reflect.DeepEqual(sent, header) {
		t.Errorf("stored headers\n%q\nthe endpoint got\n%q", sent, header)
	}
	if parent := header.Get("Traceparent"); !strings.HasPrefix(parent, fmt.Sprintf("00-%x-", attempts[0].TraceID)) ||
		attempts[0].TraceID == events[0].TraceID {
		t.Errorf("traceparent %q, trace of the attempt %x, trace of the event %x", parent, attempts[0].TraceID,
			events[0].TraceID)
	}
}
