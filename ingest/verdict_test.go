package ingest_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/ingest"
	"hooktape/internal/event"
)

func TestAccepted(t *testing.T) {
	s := newServer(t, nil)
	body := fixture(t, "flow")
	before := time.Now().Add(-time.Microsecond)
	a := s.post("/hooks/demo/"+token+"/start?lang=ru", body, "Content-Type: application/ json")
	var said struct{ ID, ReceivedAt string }
	if err := json.Unmarshal([]byte(strings.Replace(a.body, "received_at", "ReceivedAt", 1)), &said); err != nil ||
		a.StatusCode != 200 ||
		a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s %q %v", a.Status, a.body, err)
	}
	e := s.one()
	at, err := time.Parse("2006-01-02T15:04:05.000000Z", said.ReceivedAt)
	if err != nil || !at.Equal(e.ReceivedAt) || e.ReceivedAt.Before(before) || e.ReceivedAt.After(time.Now()) {
		t.Errorf("received_at %q, captured %s, %v", said.ReceivedAt, e.ReceivedAt, err)
	}
	if e.ID.Version() != 7 || said.ID != e.ID.String() || e.ID == uuid.Nil {
		t.Errorf("id %q, captured %s", said.ID, e.ID)
	}
	want := event.Received{ID: e.ID, ReceivedAt: e.ReceivedAt, Source: "demo", Step: "start", Verdict: event.Accepted,
		Method: "POST", Path: "/hooks/demo/***/start", Query: "lang=ru", RemoteIP: e.RemoteIP, Body: []byte(body),
		BodySHA256: sha256.Sum256([]byte(body)), TraceID: e.TraceID, SpanID: e.SpanID,
		Headers: []event.Header{{Name: "Content-Length", Value: fmt.Sprint(len(body))},
			{Name: "Content-Type", Value: "application/ json"}, {Name: "Host", Value: "hooks.example.com"}}}
	if !reflect.DeepEqual(e, want) || e.RemoteIP.String() != "127.0.0.1" || e.TraceID == [16]byte{} ||
		e.SpanID == [8]byte{} {
		t.Errorf("\n got %+v\nwant %+v", e, want)
	}
}

func TestVerdicts(t *testing.T) {
	s := newServer(t, nil)
	chunked := func(target string, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n",
			target, len(body), body)
	}
	large := strings.Repeat("0123456789abcdef", 200_000/16)
	first := large[:64<<10]
	demo, small := "/hooks/demo/"+token, "/hooks/small/"+other
	before := sums(t, "hooktape.ingest.requests", "hooktape.source", "hooktape.verdict", "hooktape.kept")
	for _, c := range []struct {
		name, request string
		status        int
		verdict       event.Verdict
		source, body  string
	}{
		{"first token", request("POST", demo, "{}"), 200, event.Accepted, "demo", "{}"},
		{"second token", request("POST", "/hooks/demo/"+newToken, "{}"), 200, event.Accepted, "demo", "{}"},
		{"of the maximum size", request("POST", demo, large[:100_000]), 200, event.Accepted, "demo", large[:100_000]},
		{"of the maximum size, chunked", chunked(demo, large[:100_000]), 200, event.Accepted, "demo", large[:100_000]},
		{"too large by one", request("POST", demo, large[:100_001]), 413, event.TooLarge, "demo", first},
		{"too large by one, chunked", chunked(demo, large[:100_001]), 413, event.TooLarge, "demo", first},
		{"too large", request("POST", demo, large), 413, event.TooLarge, "demo", first},
		{"too large, chunked", chunked(demo, large), 413, event.TooLarge, "demo", first},
		{"too large for a small source", request("POST", small, large[:5000]), 413, event.TooLarge, "small",
			large[:5000]},
		{"much too large for a small source", request("POST", small, large), 413, event.TooLarge, "small", first},
		{"no signature", request("POST", "/hooks/chat/"+token, "{}"), 401, event.BadSignature, "chat", "{}"},
		{"wrong signature, large", request("POST", "/hooks/chat/"+token, large, "X-Wh-Sign: 00"), 401,
			event.BadSignature, "chat", first},
		{"unknown source", request("POST", "/hooks/nobody/"+token, "{}"), 404, event.UnknownSource, "nobody", "{}"},
		{"unknown source, large", request("POST", "/hooks/nobody/"+token, large), 404, event.UnknownSource, "nobody",
			first},
		{"bad token", request("POST", "/hooks/demo/nonsense", "{}"), 404, event.BadToken, "demo", "{}"},
		{"token of another source", request("POST", "/hooks/demo/"+other, "{}"), 404, event.BadToken, "demo", "{}"},
		{"no token", request("POST", "/hooks/demo/", "{}"), 404, event.BadToken, "demo", "{}"},
		{"no token and no slash", request("POST", "/hooks/demo", "{}"), 404, event.BadToken, "demo", "{}"},
		{"no source", request("POST", "/hooks/", "{}"), 404, event.UnknownSource, "", "{}"},
		{"GET", request("GET", demo, ""), 405, event.MethodNotAllowed, "demo", ""},
		{"GET with a body", request("GET", demo, "{}"), 405, event.MethodNotAllowed, "demo", "{}"},
		{"HEAD", request("HEAD", demo, ""), 405, event.MethodNotAllowed, "demo", ""},
		{"PUT", request("PUT", demo, large), 405, event.MethodNotAllowed, "demo", first},
		{"OPTIONS", request("OPTIONS", demo, ""), 405, event.MethodNotAllowed, "demo", ""},
		{"CONNECT", request("CONNECT", demo, ""), 405, event.MethodNotAllowed, "demo", ""},
		{"a made-up method", request("FROB", demo, "{}"), 405, event.MethodNotAllowed, "demo", "{}"},
		{"a small-letter method", request("post", demo, "{}"), 405, event.MethodNotAllowed, "demo", "{}"},
		{"GET of a bad token", request("GET", "/hooks/demo/nonsense", ""), 404, event.BadToken, "demo", ""},
	} {
		a := s.raw(c.request)
		if a.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", c.name, a.Status, c.status)
		}
		method, _, _ := strings.Cut(c.request, " ")
		if e := s.one(); e.Verdict != c.verdict || e.Source != c.source || string(e.Body) != c.body ||
			e.Method != method || e.BodySHA256 != sha256.Sum256(e.Body) {
			t.Errorf("%s: captured %s of %q by %s with %d bytes, want %s of %q with %d", c.name, e.Verdict, e.Source,
				e.Method, len(e.Body), c.verdict, c.source, len(c.body))
		}
		if says := strings.Contains(a.body, `"message":`); says == (c.status == 200) && method != "HEAD" {
			t.Errorf("%s: the answer %q does not say what to do", c.name, a.body)
		}
		if c.status == 405 && a.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow: %q", c.name, a.Header.Get("Allow"))
		}
	}
	grown := since(before, sums(t, "hooktape.ingest.requests", "hooktape.source", "hooktape.verdict", "hooktape.kept"))
	want := map[string]int64{"true demo accepted": 4, "true demo too_large": 4, "true small too_large": 2,
		"true chat bad_signature": 2, "true (unknown) unknown_source": 3, "true demo bad_token": 5,
		"true demo method_not_allowed": 8}
	if !reflect.DeepEqual(grown, want) {
		t.Errorf("counted %v\nwant    %v", grown, want)
	}
}

// TestUnknownSendersLearnNothing verifies that the answer does not reveal what is wrong in the URL.
func TestUnknownSendersLearnNothing(t *testing.T) {
	s := newServer(t, nil)
	text := func(target string) string {
		a := s.post(target, "{}")
		a.Header.Del("Date")
		return fmt.Sprint(a.Status, a.Header, a.body)
	}
	want := text("/hooks/nobody/nothing")
	for _, target := range []string{"/hooks/demo/nothing", "/hooks/demo/", "/hooks/demo", "/hooks/chat/nothing",
		"/hooks/", "/hooks/demo/" + other, "/nowhere", "/"} {
		if got := text(target); got != want {
			t.Errorf("%s: %s, an unknown source: %s", target, got, want)
		}
	}
}

func TestSignatures(t *testing.T) {
	s := newServer(t, nil)
	body := "{\"a\":\"\xff\"}\r\n"
	sum := func(key string) []byte {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(body))
		return mac.Sum(nil)
	}
	for _, key := range []string{signing, "next-" + signing} {
		lower := hex.EncodeToString(sum(key))
		for _, sign := range []string{lower, strings.ToUpper(lower), base64.StdEncoding.EncodeToString(sum(key))} {
			for _, prefix := range []string{"", "sha256="} {
				if a := s.post("/hooks/chat/"+token, body, "X-Wh-Sign: "+prefix+sign); a.StatusCode != 200 {
					t.Errorf("signature %s%s: %s", prefix, sign, a.Status)
				}
				if e := s.one(); e.Verdict != event.Accepted || headerOf(e, "X-Wh-Sign")[0] != prefix+sign {
					t.Errorf("captured %s with %v", e.Verdict, e.Headers)
				}
			}
		}
	}
	good := hex.EncodeToString(sum(signing))
	for _, bad := range []string{"", good[1:], good + "0", hex.EncodeToString(sum("wrong")),
		hex.EncodeToString(sum("")), "sha256=", "sha1=" + good} {
		if a := s.post("/hooks/chat/"+token, body, "X-Wh-Sign: "+bad); a.StatusCode != 401 ||
			s.one().Verdict != event.BadSignature {
			t.Errorf("%q: %s", bad, a.Status)
		}
	}
	if a := s.post("/hooks/chat/"+token, body+" ", "X-Wh-Sign: "+good); a.StatusCode != 401 {
		t.Errorf("signature of another body: %s", a.Status)
	}
	s.take(1)
	if a := s.post("/hooks/demo/"+token, body, "X-Wh-Sign: nonsense"); a.StatusCode != 200 {
		t.Errorf("source without signing token: %s", a.Status)
	}
}

func TestAborted(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Timeouts.Read = 500 * time.Millisecond })
	const sent = 1000
	half := request("POST", "/hooks/demo/"+token+"/x", strings.Repeat("x", 5000))
	half = half[:len(half)-5000+sent]

	conn := s.dial()
	io.WriteString(conn, half)
	conn.Close()
	e := s.one()
	if e.Verdict != event.Aborted || len(e.Body) != sent || e.BodySHA256 != sha256.Sum256(e.Body) || e.Step != "x" {
		t.Errorf("closed within the body: %s with %d bytes", e.Verdict, len(e.Body))
	}

	conn = s.dial()
	io.WriteString(conn, half)
	if a := s.read(bufio.NewReader(conn), "POST"); a.StatusCode != http.StatusRequestTimeout || !a.Close {
		t.Errorf("too slow: %s, closes: %v", a.Status, a.Close)
	}
	if e := s.one(); e.Verdict != event.Aborted || len(e.Body) != sent {
		t.Errorf("too slow: %s with %d bytes", e.Verdict, len(e.Body))
	}

	conn = s.dial()
	io.WriteString(conn, "POST /hooks/demo/"+token+
		" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\nzz\r\n")
	if a := s.read(bufio.NewReader(conn), "POST"); a.StatusCode == 200 {
		t.Errorf("broken chunk: %s", a.Status)
	}
	if e := s.one(); e.Verdict != event.Aborted || string(e.Body) != "12345" {
		t.Errorf("broken chunk: %s with %q", e.Verdict, e.Body)
	}

	conn = s.dial()
	io.WriteString(conn, request("POST", "/hooks/nobody/x", "")[:20])
	conn.Close() // within the header: no request
	s.post("/hooks/demo/"+token, "{}")
	s.take(1)
}

// TestRejectedRequestsAreLimited verifies that rejected requests are stored up to a limit for each address and one for
// all, and counted beyond it, and that accepted requests have no limit.
func TestRejectedRequestsAreLimited(t *testing.T) {
	s := newServer(t, func(c *config) {
		trusting(c)
		c.options.Limits.RejectedPerAddress = ingest.Rate{Burst: 3}
		c.options.Limits.RejectedTotal = ingest.Rate{Burst: 10}
	})
	from := func(ip string) string { return "X-Forwarded-For: " + ip }
	before := sums(t, "hooktape.ingest.requests", "hooktape.verdict", "hooktape.kept")
	bad := func(n int, kept int, ip string) {
		t.Helper()
		for range n {
			if a := s.post("/hooks/nobody/x", "{}", from(ip)); a.StatusCode != 404 {
				t.Errorf("unknown source: got %s", a.Status)
			}
		}
		s.take(kept)
	}
	bad(5, 3, "192.0.2.1")
	bad(5, 3, "192.0.2.2")
	bad(2, 2, "2001:db8::1")
	bad(2, 1, "2001:db8::2") // an address of the same network
	bad(2, 1, "192.0.2.3")   // the tenth request, and one over the total limit
	for range 20 {
		if a := s.post("/hooks/demo/"+token, "{}", from("192.0.2.1")); a.StatusCode != 200 {
			t.Fatalf("accepted: %s", a.Status)
		}
	}
	s.take(20)
	grown := since(before, sums(t, "hooktape.ingest.requests", "hooktape.verdict", "hooktape.kept"))
	if want := map[string]int64{"true unknown_source": 10, "false unknown_source": 6,
		"true accepted": 20}; !reflect.DeepEqual(grown, want) {
		t.Errorf("counted %v, want %v", grown, want)
	}
}

// TestKnownSourcesAreKept verifies that requests to unknown sources do not use up the limit for rejected requests to
// known ones.
func TestKnownSourcesAreKept(t *testing.T) {
	s := newServer(t, func(c *config) {
		c.options.Limits.RejectedTotal = ingest.Rate{Burst: 5}
		c.options.Limits.RejectedDaily = 20_000
	})
	for range 30 {
		s.post("/hooks/nobody/x", "{}")
	}
	s.take(5)
	s.post("/hooks/demo/an-old-token", "{}")
	if e := s.one(); e.Verdict != event.BadToken {
		t.Errorf("captured %s", e.Verdict)
	}
}

// TestRejectedDaily verifies that rejected requests are stored up to a number of bytes a day, and that the log says
// once that it is reached.
func TestRejectedDaily(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Limits.RejectedDaily = 20_000 })
	for _, target := range []string{"/hooks/nobody/x", "/hooks/demo/an-old-token"} {
		for range 20 {
			if a := s.post(target, strings.Repeat("x", 2000)); a.StatusCode != 404 {
				t.Fatalf("rejected request: got %s", a.Status)
			}
		}
		s.take(4) // four requests have 10,000 bytes
	}
	if n := strings.Count(s.log.String(), "have used up today's bytes"); n != 2 {
		t.Errorf("%d log lines about the limit:\n%s", n, s.log)
	}
	if a := s.post("/hooks/demo/"+token, "{}"); a.StatusCode != 200 {
		t.Errorf("accepted: %s", a.Status)
	}
	s.take(1)
}
