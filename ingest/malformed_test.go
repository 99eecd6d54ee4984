package ingest_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/testutil"
)

// TestMalformed verifies that a request that net/http refuses gets net/http's status and advice, and that its
// beginning is stored and counted.
func TestMalformed(t *testing.T) { listeners(t, testMalformed) }

func testMalformed(t *testing.T, s *server) {
	demo := "/hooks/demo/" + token + "/start"
	masked := strings.NewReplacer(token, "***", "an-old-token", "***")
	long := request("POST", demo, strings.Repeat("x", 200_000), "Bad Name: 1")
	before := sums(t, "hooktape.ingest.requests", "hooktape.source", "hooktape.verdict", "hooktape.kept")
	cases := []struct {
		name, sent   string
		status       int
		source, step string
		advice       string
	}{
		{"a header's name with a space", request("POST", demo, `{"a":1}`, "Bad Name: 1"), 400, "demo", "start",
			"invalid header name: correct it"},
		{"a control character", request("POST", demo, "{}", "X-A: \x01"), 400, "demo", "start",
			"correct its first line and its headers"},
		{"an unknown coding", "POST " + demo + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n{}", 501, "demo",
			"start", "send no Transfer-Encoding but chunked"},
		{"Expect", request("POST", demo, "{}", "Expect: 200-ok"), 417, "demo", "start",
			"send no Expect but 100-continue"},
		{"two lengths", request("POST", demo, "{}", "Transfer-Encoding: chunked"), 400, "demo", "start",
			"send one of them"},
		{"a bad token", request("POST", "/hooks/demo/an-old-token", "{}", "Bad Name: 1"), 400, "", "",
			"invalid header name"},
		{"no host", "POST " + demo + " HTTP/1.1\r\n\r\n", 400, "demo", "start",
			"missing required Host header: correct it"},
		{"another version", "POST " + demo + " HTTP/3.0\r\nHost: h\r\n\r\n", 505, "demo", "start",
			"send the request by HTTP/1.1"},
		{"a label and another version", "POST " + demo + "/10% HTTP/3.0\r\nHost: h\r\n\r\n", 505, "demo", "start/10%",
			"send the request by HTTP/1.1"},
		{"a bare CR", "POST " + demo + "\r10% HTTP/1.1\r\nHost: h\r\n\r\n", 400, "demo", "start\r10%",
			"correct its first line"},
		{"PROXY", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n" + request("POST", demo, "{}"), 400, "", "",
			"turn it off in the proxy in front"},
		{"PROXY, binary", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", 400, "", "", "turn it off in the proxy in front"},
		{"no HTTP", "hello\r\n", 400, "", "", "correct its first line"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", 400, "", "",
			"send the request by HTTP/1.1"},
		{"a long head", "POST " + demo + " HTTP/1.1\r\nHost: h\r\nX-Long: " + strings.Repeat("x", 80<<10) + "\r\n\r\n",
			431, "demo", "start", "together they may have 65536 bytes"},
		{"a long target", "POST " + demo + strings.Repeat("%", 80<<10) + " HTTP/1.1\r\nHost: h\r\n\r\n", 431, "", "",
			"together they may have 65536 bytes"},
		{"a long body", long, 400, "demo", "start", "invalid header name"},
	}
	for _, c := range cases {
		conn := s.dial()
		go io.WriteString(conn, c.sent)
		answer, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("%s: incomplete answer: %v", c.name, err)
		}
		if !bytes.HasPrefix(answer, fmt.Append(nil, "HTTP/1.1 ", c.status, " ")) ||
			!bytes.Contains(answer, []byte(c.advice)) {
			t.Errorf("%s: %q, want %d and %q", c.name, answer, c.status, c.advice)
		}
		conn.Close()
		e := s.one()
		want := masked.Replace(c.sent)
		if got := string(e.Body); got == "" || !strings.HasPrefix(want, got) || len(c.sent) < 4096 &&
			len(got) < len(want) && c.status != 431 || len(got) > 4096 {
			t.Errorf("%s: captured %d bytes: %.200q", c.name, len(got), got)
		}
		if e.Verdict != event.Malformed || e.Source != c.source || e.Step != c.step ||
			e.BodySHA256 != sha256.Sum256(e.Body) || e.RemoteIP.String() != "127.0.0.1" {
			t.Errorf("%s: captured %+v", c.name, e)
		}
		assertNoToken(t, c.name, fmt.Sprintf("%q", []any{e.Path, e.Body, e.Step}))
	}
	grown := since(before, sums(t, "hooktape.ingest.requests", "hooktape.source", "hooktape.verdict", "hooktape.kept"))
	if want := map[string]int64{"true demo malformed": 11, "true (unknown) malformed": 6}; !reflect.DeepEqual(grown,
		want) {
		t.Errorf("counted %v, want %v", grown, want)
	}
	assertNoToken(t, "the log", s.log.String())
}

// TestAnswerIsReceived verifies that a client that reads only after it has sent everything gets the answer to a request
// that the server does not read completely.
func TestAnswerIsReceived(t *testing.T) { listeners(t, testAnswerIsReceived) }

func testAnswerIsReceived(t *testing.T, s *server) {
	large := strings.Repeat("x", 4<<20)
	for sent, status := range map[string]int{request("POST", valid, large): 413,
		request("POST", valid, large, "Bad Name: 1"): 400, request("POST", valid, large,
			"Transfer-Encoding: chunked"): 400, request("POST", valid, large, "Expect: 200-ok"): 417,
		request("POST", valid, "", "X-Long: "+large): 431} {
		conn := s.dial()
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Errorf("%d: sending failed: %v", status, err)
			continue
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(answer, fmt.Append(nil, "HTTP/1.1 ", status, " ")) {
			t.Errorf("%q, %v, want %d", answer, err, status)
		}
		conn.Close()
	}
	if s.client == nil {
		return
	}
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	_, sending := io.WriteString(raw, request("POST", valid, large))
	if answer, err := io.ReadAll(raw); err != nil || sending != nil ||
		!bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
		t.Errorf("without TLS: %q, %v, %v", answer, err, sending)
	}
}

// TestMalformedCut verifies that no part of a token shows if the stored beginning ends within it.
func TestMalformedCut(t *testing.T) {
	s := newServer(t, nil)
	for cut := 1; cut <= len(token); cut++ {
		head := "POST /nowhere HTTP/1.1\r\nHost: h\r\nBad Name: "
		s.raw(head + strings.Repeat("x", 4096-len(head)-cut) + token + "\r\n\r\n")
		if e := s.one(); !bytes.HasSuffix(e.Body, []byte("x***")) {
			t.Errorf("%d bytes of the token: %q", cut, e.Body[len(e.Body)-20:])
		}
	}
}

// TestTLSOnPlainPort verifies that a TLS client on a plain port gets an answer immediately, and that the request is
// stored.
func TestTLSOnPlainPort(t *testing.T) {
	s := newServer(t, nil)
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if err := tls.Client(raw, &tls.Config{ServerName: "h"}).Handshake(); err == nil {
		t.Error("the handshake succeeded")
	}
	if e := s.one(); e.Verdict != event.Malformed || !bytes.HasPrefix(e.Body, []byte{0x16, 3}) {
		t.Errorf("captured %s %q", e.Verdict, e.Body)
	}
}

// TestHTTPOnTLSPort verifies that a plain HTTP client on a TLS port gets an explanation, and that its request is
// stored.
func TestHTTPOnTLSPort(t *testing.T) {
	s := newServer(t, encrypted)
	raw, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	sent := request("POST", "/hooks/demo/"+token+"/start", `{"a":1}`)
	io.WriteString(raw, sent)
	a := s.read(bufio.NewReader(raw), "POST")
	if a.StatusCode != 400 || !strings.Contains(a.body, "https://") {
		t.Errorf("%s %q", a.Status, a.body)
	}
	if e := s.one(); e.Verdict != event.Malformed || e.Source != "demo" || e.Step != "start" ||
		string(e.Body) != strings.ReplaceAll(sent, token, "***") {
		t.Errorf("captured %s %s %s %q", e.Verdict, e.Source, e.Step, e.Body)
	}
}

// TestNoHandshake verifies that a client that does not trust the certificate causes a warning and no event, and that a
// client that disconnects before it sends anything causes nothing.
func TestNoHandshake(t *testing.T) {
	s := newServer(t, encrypted)
	for _, sent := range []string{"", "\x16", "\x16\x03\x01\x02"} {
		raw, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(raw, sent)
		raw.Close()
	}
	if _, err := tls.Dial("tcp", s.addr, &tls.Config{ServerName: "127.0.0.1"}); err == nil {
		t.Fatal("the client trusts the certificate")
	}
	testutil.Eventually(t, func() error {
		if !strings.Contains(s.log.String(), "a TLS handshake failed") {
			return errors.New("no warning")
		}
		return nil
	})
	s.nothing()
	if n := strings.Count(s.log.String(), "level=WARN"); n != 1 ||
		!strings.Contains(s.log.String(), "bad certificate") {
		t.Errorf("%d warnings: %s", n, s.log.String())
	}
}

// TestMalformedAfterOthers verifies that of several requests in one write the malformed one is stored, and that the
// others have their own targets.
func TestMalformedAfterOthers(t *testing.T) { listeners(t, testMalformedAfterOthers) }

func testMalformedAfterOthers(t *testing.T, s *server) {
	demo := "/hooks/demo/" + token + "/"
	bad := request("POST", demo+"bad", "{}", "Bad Name: 1")
	statuses := s.raws(request("POST", demo+"1%", "{}") + request("POST", demo+"two words", "{}") + request("GET",
		"/healthz", "") + request("POST", demo+"3", "{}") + bad)
	if fmt.Sprint(statuses) != "[200 200 200 200 400]" {
		t.Errorf("got the statuses %v", statuses)
	}
	var steps []string
	for _, e := range s.take(4) {
		steps = append(steps, e.Step)
		if e.Verdict == event.Malformed && string(e.Body) != strings.ReplaceAll(bad, token, "***") {
			t.Errorf("captured %q", e.Body)
		}
	}
	if want := []string{"1%", "two words", "3", "bad"}; !reflect.DeepEqual(steps, want) {
		t.Errorf("steps %q, want %q", steps, want)
	}
}

// TestTargetsBytewise verifies that a target that arrives byte by byte is read like any other.
func TestTargetsBytewise(t *testing.T) { listeners(t, testTargetsBytewise) }

func testTargetsBytewise(t *testing.T, s *server) {
	conn := s.dial()
	for _, step := range []string{"10%", "two words", "plain"} {
		sent := request("POST", "/hooks/demo/"+token+"/"+step, "{}")
		go func() {
			for i := range len(sent) {
				io.WriteString(conn, sent[i:i+1])
			}
		}()
		if a := s.read(bufio.NewReader(conn), "POST"); a.StatusCode != 200 {
			t.Errorf("%s: %s", step, a.Status)
		}
		if e := s.one(); e.Step != step || e.Path != "/hooks/demo/***/"+step || string(e.Body) != "{}" {
			t.Errorf("%s: captured %q %q", step, e.Step, e.Path)
		}
	}
}

// TestMalformedIsLimited verifies that requests that are not HTTP are stored within the limits for rejected requests.
func TestMalformedIsLimited(t *testing.T) {
	s := newServer(t, func(c *config) { c.options.Limits.RejectedPerAddress = ingest.Rate{Burst: 3} })
	before := sums(t, "hooktape.ingest.requests", "hooktape.verdict", "hooktape.kept")
	for range 5 {
		s.raw("hello\r\n\r\n")
	}
	s.take(3)
	grown := since(before, sums(t, "hooktape.ingest.requests", "hooktape.verdict", "hooktape.kept"))
	if want := map[string]int64{"true malformed": 3, "false malformed": 2}; !reflect.DeepEqual(grown, want) {
		t.Errorf("counted %v, want %v", grown, want)
	}
}

// TestOtherPaths verifies that a POST to a path that is no hook is stored as an event, and that other requests outside
// of hooks are not.
func TestOtherPaths(t *testing.T) { listeners(t, testOtherPaths) }

func testOtherPaths(t *testing.T, s *server) {
	for target, want := range map[string]event.Verdict{"/": event.UnknownSource, "/webhook": event.UnknownSource,
		"/nowhere/x/y": event.UnknownSource, "/Hooks/nobody/" + token: event.UnknownSource,
		"/demo/an-old-token/x": event.BadToken, "/Hooks/demo/an-old-token": event.BadToken,
		"//hooks/demo/an-old-token": event.BadToken} {
		if a := s.post(target, "{}"); a.StatusCode != 404 {
			t.Errorf("%s: %s", target, a.Status)
		}
		e := s.one()
		if e.Verdict != want || string(e.Body) != "{}" || strings.Contains(e.Path, "old-token") {
			t.Errorf("%s: captured %s %s %q", target, e.Verdict, e.Path, e.Body)
		}
		assertNoToken(t, target, e.Path+e.Step+e.Source)
	}
	// other methods
	for _, line := range []string{"GET /demo/" + token + "/x", "PUT //Hooks/demo/" + token,
		"PO ST /hooks/demo/" + token} {
		if a := s.raw(line + " HTTP/1.1\r\nHost: h\r\n\r\n"); a.StatusCode != 405 {
			t.Errorf("%s: %s", line, a.Status)
		}
		if e := s.one(); e.Verdict != event.MethodNotAllowed || e.Source != "demo" {
			t.Errorf("%s: captured %s of %q", line, e.Verdict, e.Source)
		}
	}
	for _, line := range []string{"GET /", "GET /10%", "OPTIONS *", "POST /healthz", "GET /Hooks/demo/x"} {
		s.raw(line + " HTTP/1.1\r\nHost: h\r\n\r\n")
	}
	s.nothing()
}

// TestSpansAreUTF8 verifies that spans are valid UTF-8, whatever bytes a request has: one invalid span would lose its
// whole batch.
func TestSpansAreUTF8(t *testing.T) {
	spans.Reset()
	s := newServer(t, nil)
	s.post("/hooks/demo/"+token+"/\xff", "{}", "User-Agent: \xff", "X-Forwarded-For: \xff", "X-Forwarded-Proto: \xff",
		"Traceparent: \xff", "Tracestate: \xff")
	s.post("/hooks/\xffdemo/x/\xff%ff", "{}", "User-Agent: a\xffb")
	s.post("/\xff", "{}")
	s.take(3)
	s.stop()
	for _, span := range spans.GetSpans() {
		if text := spanText(span); !utf8.ValidString(text) {
			t.Errorf("a span contains %q", text)
		}
	}
	if len(spans.GetSpans()) != 3 {
		t.Errorf("%d spans", len(spans.GetSpans()))
	}
}
