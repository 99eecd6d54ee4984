package ingest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

// backend answers each request on a real socket with the bytes that say writes. It closes the connection afterwards
// unless say returns true.
type backend struct {
	url      string
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newBackend(t *testing.T, say func(c net.Conn, r *http.Request) (more bool)) *backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{url: "http://" + listener.Addr().String()}
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
				for in := bufio.NewReader(c); b.serve(c, in, say); {
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); connections.Wait() })
	return b
}

func (b *backend) serve(c net.Conn, in *bufio.Reader, say func(net.Conn, *http.Request) bool) bool {
	r, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return false
	}
	b.mu.Lock()
	b.requests, b.bodies = append(b.requests, r), append(b.bodies, string(body))
	b.mu.Unlock()
	return say(c, r)
}

// seen returns the requests so far.
func (b *backend) seen() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// says answers with the same bytes each time and keeps the connection.
func says(response string) func(net.Conn, *http.Request) bool {
	return func(c net.Conn, _ *http.Request) bool { _, err := io.WriteString(c, response); return err == nil }
}

// hangs reads the request and never answers.
func hangs(c net.Conn, _ *http.Request) bool { _, _ = io.Copy(io.Discard, c); return false }

func eventually(t *testing.T, done func() bool, what string) {
	t.Helper()
	testutil.Eventually(t, func() error {
		if !done() {
			return fmt.Errorf("waiting for %s", what)
		}
		return nil
	})
}

const instead = `{"price":"","error":"unavailable"}`

// forwarding returns a source that forwards to a URL.
func forwarding(to string, change func(*ingest.Forward)) ingest.Source {
	f := ingest.DefaultForward()
	f.To, f.Deadline, f.Append = "backend", 20*time.Second, []string{"path", "query"}
	f.Fallback = ingest.Answer{Status: 200, Headers: []event.Header{{Name: "X-Fallback", Value: "yes"}}, Body: instead}
	f.Endpoint = outbound.Endpoint{Name: "backend", URL: to, AllowPrivate: true,
		Headers: []event.Header{{Name: "X-Key", Value: "endpoint-secret"}}}
	f.Breaker = outbound.BreakerOptions{Failures: 3, ProbeAfter: time.Hour, ProbeMax: time.Hour}
	if change != nil {
		change(&f)
	}
	return ingest.Source{Name: "price", Tokens: []string{token}, Forward: &f}
}

// forwards has a server forward the source price, beside the other sources.
func (s *server) forwards(source ingest.Source) {
	s.handler.SetSources(ingest.NewSources(append(slices.Clone(sources), source)))
}

const priceHook = "/hooks/price/" + token

// records takes n records out of the spool, in order.
func (s *server) records(n int) []event.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	var list []event.Record
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
	s.nothing()
	if notes, err := s.spool.Notes(); err != nil || len(notes) != 0 {
		s.t.Errorf("notes are left: %v, %v", notes, err)
	}
	return list
}

// outcome takes the only event and its attempt.
func (s *server) outcome() (event.Received, *event.Attempt) {
	s.t.Helper()
	list := s.records(2)
	e, a := list[0].Received, list[1].Outcome
	if list[0].Outcome != nil || a == nil || a.EventID != e.ID || a.Kind != event.AttemptForward || a.Number != 1 ||
		a.Endpoint != "backend" {
		s.t.Fatalf("%+v", list)
	}
	return e, a
}

func zipped(text string) string {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	io.WriteString(w, text)
	w.Close()
	return out.String()
}

// TestForwardReturnsTheAnswer: status, end-to-end headers and body reach the bot as the endpoint has sent them, and are
// recorded.
func TestForwardReturnsTheAnswer(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 8<<10) // 128 KiB
	zip := zipped(`{"price":"7"}`)
	for name, c := range map[string]struct {
		response string
		header   string // lines that the answer must have, of those that follow its status
		status   int
		body     string
		missing  []string
	}{
		"length": {"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\nDate: d\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: " +
			"13\r\n\r\n{\"price\":\"7\"}", "Content-Length: 13|Content-Type: text/x|Date: d|X-A: 1|X-A: 2", 200,
			`{"price":"7"}`, nil},
		"no type": {"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 6\r\n\r\n<html>", "Content-Length: 6|Date: d",
			200, "<html>", []string{"price"}},
		"chunked": {"HTTP/1.1 200 OK\r\nDate: d\r\nTransfer-Encoding: chunked\r\nTrailer: " +
			"X-T\r\n\r\n4\r\n{\"pr\r\n9\r\nice\":\"7\"}\r\n0\r\nX-T: 1\r\n\r\n", "Date: d", 200, `{"price":"7"}`, nil},
		"until close": {"HTTP/1.0 200 OK\r\nDate: d\r\n\r\n{}", "Date: d", 200, "{}", []string{"price"}},
		"no content": {"HTTP/1.1 204 No Content\r\nDate: d\r\nX-A: 1\r\n\r\n", "Date: d|X-A: 1", 204, "",
			[]string{"price"}},
		"not modified": {"HTTP/1.1 304 Not Modified\r\nDate: d\r\nEtag: \"x\"\r\n\r\n", "Date: d|Etag: \"x\"", 304, "",
			[]string{"price"}},
		"early hints": {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nDate: " +
			"d\r\nContent-Length: 2\r\n\r\n{}", "Content-Length: 2|Date: d", 200, "{}", []string{"price"}},
		"cookies": {"HTTP/1.1 200 OK\r\nDate: d\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: " +
			"b=\"2\"\r\nContent-Length: 0\r\n\r\n",
			"Content-Length: 0|Date: d|Set-Cookie: a=1; Path=/|Set-Cookie: b=\"2\"", 200, "", []string{"price"}},
		"gzip": {fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Encoding: gzip\r\nContent-Length: "+
			"%d\r\n\r\n%s", len(zip), zip), fmt.Sprintf("Content-Encoding: gzip|Content-Length: %d|Date: d", len(zip)),
			200, zip, nil},
		"error": {"HTTP/1.1 500 Oh\r\nDate: d\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno",
			"Content-Length: 2|Date: d|Retry-After: 3", 500, "no", []string{"price"}},
		"redirect": {"HTTP/1.1 302 Found\r\nDate: d\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
			"Content-Length: 0|Date: d|Location: http://127.0.0.1:1/", 302, "", []string{"price"}},
		"hop by hop": {"HTTP/1.1 200 OK\r\nDate: d\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: " +
			"timeout=5\r\nX-Hop: 1\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\n{}",
			"Content-Length: 2|Date: d", 200, "{}", []string{"price"}},
		"over 16 KiB": {fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: %d\r\n\r\n%s", len(long), long),
			fmt.Sprintf("Content-Length: %d|Date: d", len(long)), 200, long, nil},
		"null is there": {"HTTP/1.1 200 OK\r\nDate: d\r\nContent-Length: 14\r\n\r\n{\"price\":null}",
			"Content-Length: 14|Date: d", 200, `{"price":null}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBackend(t, func(conn net.Conn, r *http.Request) bool {
				says(c.response)(conn, r)
				return !strings.HasPrefix(c.response, "HTTP/1.0")
			})
			s := newServer(t, nil)
			s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.Expect, f.MaxAnswer = []string{"price"}, 64<<10 }))
			got := s.post(priceHook, `{"a":1}`)
			var lines []string
			for key, values := range got.Header {
				for _, v := range values {
					lines = append(lines, key+": "+v)
				}
			}
			slices.Sort(lines)
			if header := strings.Join(lines, "|"); got.StatusCode != c.status || header != c.header ||
				got.body != c.body {
				t.Errorf("the bot got %d, %s, a body of %d bytes %.100q\nwant %d, %s, %d bytes", got.StatusCode, header,
					len(got.body), got.body, c.status, c.header, len(c.body))
			}
			e, a := s.outcome()
			if string(e.Body) != `{"a":1}` || e.Verdict != event.Accepted || e.Source != "price" {
				t.Errorf("captured: %+v", e)
			}
			ok := c.status/100 == 2
			if a.Outcome.OK() != ok || int(a.StatusCode) != c.status ||
				string(a.ResponseBody) != c.body[:min(len(c.body), 16<<10)] || a.ResponseBytes != uint64(len(c.body)) ||
				a.Fallback != "" || !slices.Equal(a.MissingKeys, c.missing) || a.Duration <= 0 || a.Overhead <= 0 ||
				a.TraceID != e.TraceID {
				t.Errorf("recorded: %+v", a)
			}
			if unsearched := strings.Contains(a.Error, "max_answer"); unsearched != (len(c.body) > 64<<10) {
				t.Errorf("recorded: %q", a.Error)
			}
		})
	}
}

// TestForwardSendsTheRequest: as a replay would, with the parts of the URL that the configuration appends, and never
// with the token.
func TestForwardSendsTheRequest(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	s := newServer(t, nil)
	s.forwards(forwarding(b.url+"/api?key=own", nil))
	for i, c := range []struct{ method, target, body, want string }{
		{"POST", "/paid/x", `{"a":1}`, "/api/paid/x?key=own"},
		{"GET", "?name=Анна К&b=1", "", "/api?key=own&name=%D0%90%D0%BD%D0%BD%D0%B0%20%D0%9A&b=1"},
		{"PUT", "/a%2Fb//c/?x", "p", "/api/a%2Fb//c/?key=own&x"},
		{"PATCH", "/50%?key=theirs&%6bey=too", "q", "/api/50%25?key=own"},
		{"DELETE", "/" + token + "/y", "", "/api/***/y?key=own"},
		{"GET", "%2Fquote%2f", "", "/api/quote%2f?key=own"},
		{"GET", "/a;v=1/..x/%2541", "", "/api/a;v=1/..x/%2541?key=own"},
	} {
		if got := s.raw(request(c.method, priceHook+c.target, c.body, "X-A: 1", "Authorization: Basic eA==",
			"Traceparent: 00-11111111111111111111111111111111-2222222222222222-01")); got.body != "{}" {
			t.Fatalf("%s: %d %s", c.method, got.StatusCode, got.body)
		}
		e, a := s.outcome()
		r := b.seen()[i]
		if r.Method != c.method || r.RequestURI != c.want || b.bodies[i] != c.body {
			t.Errorf("%s %s: the endpoint got %s %s %q, want %s", c.method, c.target, r.Method, r.RequestURI,
				b.bodies[i], c.want)
		}
		if r.Header.Get("X-A") != "1" || r.Header.Get("X-Key") != "endpoint-secret" ||
			r.Header.Get("Authorization") != "" || r.Header.Get("X-Hooktape-Event-Id") != e.ID.String() ||
			r.Header.Get("Idempotency-Key") == "" ||
			!strings.Contains(r.Header.Get("Traceparent"), fmt.Sprintf("-%x-", e.TraceID)) ||
			strings.Contains(r.Header.Get("Traceparent"), fmt.Sprintf("%x", e.SpanID)) {
			t.Errorf("%s: the endpoint got %v", c.method, r.Header)
		}
		if want := outbound.MaskQuery(b.url + c.want); a.URL != want {
			t.Errorf("%s: the stored URL is %s, want %s", c.method, a.URL, want)
		}
		if e.Method != c.method || strings.Contains(e.Path+e.Query+a.URL, token) || strings.Contains(a.URL, "own") ||
			slices.ContainsFunc(a.RequestHeaders, func(h event.Header) bool {
				return strings.Contains(h.Value, "secret")
			}) {
			t.Errorf("%s: stored %s %s?%s, %s, %v", c.method, e.Method, e.Path, e.Query, a.URL, a.RequestHeaders)
		}
	}
	// The path must not lead out of the endpoint's.
	for _, up := range []string{"/../x", "/a/%2e%2e/x", "/..%5cx", "/..;/x", "/..;v=1/x", "/%252e%252e/x",
		"/%25252e%25252e%25252fx", "/%" + strings.Repeat("25", 20) + "2e/x"} {
		if got := s.raw(request("GET", priceHook+up, "")); got.body != instead {
			t.Errorf("%s: %s", up, got.body)
		}
		if _, a := s.outcome(); a.Outcome != event.OutcomeImpossible || a.Fallback != event.FallbackError {
			t.Errorf("%s: %+v", up, a)
		}
	}
	if n := len(b.seen()); n != 7 {
		t.Errorf("the endpoint got %d requests", n)
	}
}

// TestForwardJudges: what would be rejected is rejected, and not forwarded; other sources take POST only.
func TestForwardJudges(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	s := newServer(t, nil)
	source := forwarding(b.url, nil)
	source.MaxBody, source.SigningTokens = 10, []string{signing}
	s.forwards(source)
	for _, c := range []struct {
		method, target, body string
		status               int
		verdict              event.Verdict
	}{
		{"GET", "/hooks/price/wrong-token-0000000", "", 404, event.BadToken},
		{"POST", priceHook, "{}", 401, event.BadSignature},
		{"POST", priceHook, "12345678901", 200, event.TooLarge},
		{"OPTIONS", priceHook, "", 405, event.MethodNotAllowed},
		{"HEAD", priceHook, "", 405, event.MethodNotAllowed},
		{"GET", "/hooks/demo/" + token, "", 405, event.MethodNotAllowed},
	} {
		if got := s.raw(request(c.method, c.target, c.body)); got.StatusCode != c.status || got.StatusCode == 405 &&
			got.Header.Get("Allow") == "" {
			t.Errorf("%s %s: %d %v", c.method, c.target, got.StatusCode, got.Header)
		}
		if r := s.records(1)[0]; r.Verdict != c.verdict || r.Outcome != nil {
			t.Errorf("%s %s: %+v", c.method, c.target, r)
		}
	}
	if n := len(b.seen()); n != 0 {
		t.Errorf("%d requests were forwarded", n)
	}
}

// TestForwardFallsBack: for each reason the bot gets the fallback, and the attempt says why.
func TestForwardFallsBack(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	before := sums(t, "hooktape.forward.fallbacks", "hooktape.reason")
	for _, c := range []struct {
		name    string
		url     string
		say     func(net.Conn, *http.Request) bool
		change  func(*ingest.Forward)
		why     event.Fallback
		outcome event.Outcome
	}{
		{name: "hanging", say: hangs, change: func(f *ingest.Forward) {
			f.Deadline = 200 * time.Millisecond
		}, why: event.FallbackDeadline, outcome: event.OutcomeTimeout},
		{name: "refused", url: "http://" + closed.Addr().String(), why: event.FallbackRefused,
			outcome: event.OutcomeNoConn},
		{name: "no name", url: "http://nowhere.invalid/", why: event.FallbackRefused, outcome: event.OutcomeNoConn},
		{name: "garbage", say: says("SSH-2.0-x\r\n"), why: event.FallbackError, outcome: event.OutcomeBroken},
		{name: "closed", say: says(""), why: event.FallbackError, outcome: event.OutcomeBroken},
		{name: "cut in the header", say: func(c net.Conn, r *http.Request) bool {
			says("HTTP/1.1 200 OK\r\nX-A: ")(c, r)
			return false
		}, why: event.FallbackError, outcome: event.OutcomeBroken},
		{name: "another protocol",
			say: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
			why: event.FallbackError, outcome: event.OutcomeBroken},
		{name: "private", say: hangs, change: func(f *ingest.Forward) {
			f.Endpoint.AllowPrivate = false
		}, why: event.FallbackError, outcome: event.OutcomeForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.say != nil {
				say := c.say
				if c.name == "closed" {
					say = func(net.Conn, *http.Request) bool { return false }
				}
				c.url = newBackend(t, say).url
			}
			s := newServer(t, nil)
			s.forwards(forwarding(c.url, c.change))
			if got := s.post(priceHook, "{}"); got.StatusCode != 200 || got.body != instead ||
				got.Header.Get("X-Fallback") != "yes" || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("the bot got %d %v %s", got.StatusCode, got.Header, got.body)
			}
			if _, a := s.outcome(); a.Fallback != c.why || a.Outcome != c.outcome || a.Error == "" ||
				a.StatusCode != 0 {
				t.Errorf("recorded: %+v", a)
			}
		})
	}
	if grown := since(before, sums(t, "hooktape.forward.fallbacks", "hooktape.reason")); grown["deadline"] != 1 ||
		grown["refused"] != 2 || grown["error"] != 5 {
		t.Errorf("counted: %v", grown)
	}
}

// TestForwardBreaker: after some requests without an answer nothing is sent, also with other settings of the source. A
// status is an answer, and a path that cannot be sent is not the endpoint's failure.
func TestForwardBreaker(t *testing.T) {
	var dead atomic.Bool
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		return !dead.Load() && says("HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno")(c, r)
	})
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	for range 5 {
		s.post(priceHook+"/..", "{}")
	}
	for range 5 {
		if got := s.post(priceHook, "{}"); got.StatusCode != 500 {
			t.Fatalf("%d %s", got.StatusCode, got.body)
		}
	}
	s.records(20)
	dead.Store(true)
	for range 3 {
		s.post(priceHook, "{}")
	}
	s.records(6)
	sent := len(b.seen())
	s.forwards(forwarding(b.url, nil)) // a reload that changes nothing
	if got := s.post(priceHook, "{}"); got.body != instead || len(b.seen()) != sent {
		t.Errorf("%s; %d requests were sent, %d before", got.body, len(b.seen()), sent)
	}
	// The event and what became of it are one record.
	if r := s.records(1)[0]; r.Outcome == nil || r.Outcome.EventID != r.ID ||
		r.Outcome.Fallback != event.FallbackFailing || r.Outcome.Outcome != event.OutcomeNotSent ||
		r.Outcome.Source != "price" {
		t.Errorf("%+v", r)
	}
	if log := s.log.String(); strings.Count(log, "circuit breaker opens") != 1 {
		t.Errorf("the log says\n%s", log)
	}
}

// TestForwardInFlight: beyond max_in_flight bots get the fallback, and other sources their 200. The bot waits for the
// disk, but no longer than a second.
func TestForwardInFlight(t *testing.T) {
	release := make(chan struct{})
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		<-release
		return says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(c, r)
	})
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.MaxInFlight = 2 }))
	var waiting sync.WaitGroup
	for range 2 {
		waiting.Go(func() {
			if got := s.post(priceHook, "{}"); got.body != "{}" {
				t.Errorf("a request within the limit got %s", got.body)
			}
		})
	}
	eventually(t, func() bool { return len(b.seen()) == 2 }, "two requests in flight")
	before := s.spool.Stat().Appended
	asked := time.Now()
	if got := s.post(priceHook, "{}"); got.body != instead ||
		time.Since(asked) < time.Second && s.spool.Stat().Appended != before+1 {
		t.Errorf("the third got %s, and was it on disk by then: %v", got.body, s.spool.Stat().Appended != before)
	}
	if got := s.post("/hooks/demo/"+token, "{}"); got.StatusCode != 200 {
		t.Errorf("another source got %d", got.StatusCode)
	}
	close(release)
	waiting.Wait()
	list := s.records(6)
	i := slices.IndexFunc(list, func(r event.Record) bool { return r.Outcome != nil && r.ID == r.Outcome.EventID })
	if i < 0 || list[i].Outcome.Fallback != event.FallbackInFlight || list[i].Outcome.Outcome != event.OutcomeNotSent {
		t.Errorf("%+v", list)
	}
}

// TestForwardBreaksOff: an answer that breaks off looks so to the bot, and is recorded as far as it came.
func TestForwardBreaksOff(t *testing.T) {
	for name, c := range map[string]struct {
		start   string
		then    func(net.Conn)
		outcome event.Outcome
	}{
		"closed": {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart", func(net.Conn) {}, event.OutcomeBroken},
		"reset": {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart", func(c net.Conn) {
			c.(*net.TCPConn).SetLinger(0)
		}, event.OutcomeBroken},
		"chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n", func(net.Conn) {},
			event.OutcomeBroken},
		"no chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n", func(c net.Conn) {
			io.WriteString(c, "xyz\r\n")
		}, event.OutcomeBroken},
		"deadline": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n", func(c net.Conn) {
			hangs(c, nil)
		}, event.OutcomeTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			arrived := make(chan struct{})
			b := newBackend(t, func(conn net.Conn, r *http.Request) bool {
				says(c.start)(conn, r)
				<-arrived // by the bot: each part is passed on at once
				c.then(conn)
				return false
			})
			s := newServer(t, nil)
			s.forwards(forwarding(b.url, func(f *ingest.Forward) {
				if name == "deadline" {
					f.Deadline = time.Second
				}
			}))
			conn := s.dial()
			io.WriteString(conn, request("POST", priceHook, "{}"))
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || response.StatusCode != 200 {
				t.Fatal(response, err)
			}
			start := make([]byte, 5)
			if _, err := io.ReadFull(response.Body, start); err != nil || string(start) != "start" {
				t.Fatalf("%q, %v", start, err)
			}
			close(arrived)
			if rest, err := io.ReadAll(response.Body); err == nil || len(rest) > 0 {
				t.Errorf("the answer ends like a whole one, with %q", rest)
			}
			if _, a := s.outcome(); a.Outcome != c.outcome || a.StatusCode != 200 ||
				string(a.ResponseBody) != "start" || a.ResponseBytes != 5 || a.Fallback != "" || a.Error == "" {
				t.Errorf("recorded: %+v", a)
			}
		})
	}
}

// TestForwardToABotThatLeaves: the endpoint's answer is recorded all the same.
func TestForwardToABotThatLeaves(t *testing.T) {
	left := make(chan struct{})
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		<-left
		return says("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"price\":\"7\"}")(c, r)
	})
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	conn := s.dial()
	io.WriteString(conn, request("POST", priceHook, "{}"))
	eventually(t, func() bool { return len(b.seen()) == 1 }, "the request")
	conn.Close()
	close(left)
	if _, a := s.outcome(); a.StatusCode != 200 || string(a.ResponseBody) != `{"price":"7"}` {
		t.Errorf("recorded: %+v", a)
	}
}

// TestForwardIsDurableBeforeItIsSent: by one commit, with one fsync.
func TestForwardIsDurableBeforeItIsSent(t *testing.T) {
	var commits atomic.Int32
	var s *server
	var then []string
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		notes, err := s.spool.Notes()
		then = append(then, fmt.Sprint(commits.Load(), s.spool.Stat().Records, len(notes), err))
		return says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(c, r)
	})
	s = newServer(t, func(c *config) { c.spool.OnCommit = func(spool.Commit) { commits.Add(1) } })
	s.forwards(forwarding(b.url, nil))
	s.post(priceHook, "{}")
	eventually(t, func() bool { return s.spool.Stat().Records == 2 }, "the outcome")
	if want := "1 1 1 <nil>"; len(then) != 1 || then[0] != want || commits.Load() != 2 {
		t.Errorf("when the request was sent: %v, want %s; %d commits in all", then, want, commits.Load())
	}
	s.outcome()
}

// TestForwardWithoutAPlaceOnDisk: the bot gets the fallback, and nothing is sent.
func TestForwardWithoutAPlaceOnDisk(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	before := sums(t, "hooktape.forward.fallbacks", "hooktape.reason")
	s := newServer(t, func(c *config) { c.spool.MaxBytes = 100 })
	s.forwards(forwarding(b.url, nil))
	if got := s.post(priceHook, "{}"); got.StatusCode != 200 || got.body != instead {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	if grown := since(before, sums(t, "hooktape.forward.fallbacks", "hooktape.reason")); len(b.seen()) != 0 ||
		grown["full"] != 1 {
		t.Errorf("%d requests were sent; counted %v", len(b.seen()), grown)
	}
	if log := s.log.String(); !strings.Contains(log, "cannot be stored") {
		t.Errorf("the log says\n%s", log)
	}
	s.nothing()
}

// TestForwardOnASlowDisk: the bot does not wait for the disk beyond the deadline. Nothing is sent, and that is recorded
// once the event is on disk.
func TestForwardOnASlowDisk(t *testing.T) {
	b := newBackend(t, says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	gate := make(chan struct{})
	s := newServer(t, func(c *config) { c.between = func(s ingest.Spool) ingest.Spool { return &slow{s, gate} } })
	s.forwards(forwarding(b.url, func(f *ingest.Forward) { f.Deadline = 200 * time.Millisecond }))
	if got := s.post(priceHook, "{}"); got.body != instead {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	close(gate)
	if _, a := s.outcome(); a.Outcome != event.OutcomeNotSent || a.Fallback != event.FallbackDeadline ||
		len(b.seen()) != 0 {
		t.Errorf("%+v; %d requests were sent", a, len(b.seen()))
	}
}

// slow is a spool whose disk waits.
type slow struct {
	ingest.Spool
	gate chan struct{}
}

func (s *slow) Append(ctx context.Context, record []byte, notes ...spool.Note) error {
	<-s.gate
	return s.Spool.Append(ctx, record, notes...)
}

// TestForwardAfterAKill: an attempt without an outcome is recorded as unknown at the next start, once.
func TestForwardAfterAKill(t *testing.T) {
	b := newBackend(t, hangs)
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	go io.WriteString(s.dial(), request("POST", priceHook, "{}"))
	eventually(t, func() bool { return len(b.seen()) == 1 }, "the request")

	// The files as a kill leaves them.
	dir := t.TempDir()
	if err := testutil.KilledFiles(t, s.dir).Store(dir); err != nil {
		t.Fatal(err)
	}
	restart := func() *server { return newServer(t, func(c *config) { c.dir = dir }) }
	next := restart()
	eventually(t, func() bool { return next.spool.Stat().Records == 2 }, "the unknown outcome")
	if err := next.stop(); err != nil {
		t.Fatal(err)
	}
	next.spool.Close()
	next = restart()
	e, a := next.outcome()
	if a.Outcome != event.OutcomeUnknown || a.ID != event.ForwardID(e.ID, "backend") || a.Error == "" ||
		a.StartedAt.IsZero() {
		t.Errorf("%+v", a)
	}
	if len(b.seen()) != 1 {
		t.Errorf("%d requests were sent", len(b.seen()))
	}
}

// TestForwardWhileStopping: a request in flight has some seconds; then its bot gets the fallback, and the attempt is
// unknown.
func TestForwardWhileStopping(t *testing.T) {
	b := newBackend(t, hangs)
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	got := make(chan answer, 1)
	go func() { got <- s.post(priceHook, "{}") }()
	eventually(t, func() bool { return len(b.seen()) == 1 }, "the request")
	if err := s.stop(); err != nil {
		t.Errorf("stopped: %v", err)
	}
	if got := <-got; got.body != instead {
		t.Errorf("the bot got %d %s", got.StatusCode, got.body)
	}
	if _, a := s.outcome(); a.Outcome != event.OutcomeUnknown || a.Fallback != event.FallbackError {
		t.Errorf("%+v", a)
	}
}

// TestForwardSendsOnce: net/http would repeat a GET when a reused connection breaks.
func TestForwardSendsOnce(t *testing.T) {
	var n atomic.Int32
	b := newBackend(t, func(c net.Conn, r *http.Request) bool {
		return n.Add(1)%2 == 1 && says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(c, r)
	})
	s := newServer(t, nil)
	s.forwards(forwarding(b.url, nil))
	for i := range 4 {
		s.raw(request("GET", priceHook+"?"+strconv.Itoa(i), ""))
	}
	if list := s.records(8); len(b.seen()) != 4 {
		t.Errorf("the endpoint got %d requests for 4: %+v", len(b.seen()), list)
	}
}
