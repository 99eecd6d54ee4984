package ingest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"hooktape/internal/event"
)

// hostileBodies returns bodies that must be stored byte for byte.
func hostileBodies() map[string]string {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, `{"bothelp_user_id":"7"}`)
	z.Close()
	return map[string]string{
		"empty": "", "NUL": "\x00{\x00}\x00", "invalid UTF-8": "{\"name\":\"\xff\xfe\xed\xa0\x80\"}",
		"BOM": "\xef\xbb\xbf{\"name\":\"x\"}", "gzip": packed.String(),
		"CRLF": "\r\n\r\n{}\r\n\r\n", "form": "name=%D0%90&bothelp_user_id=5", "no JSON": "<html>",
		"half JSON": `{"name":"x`, "keys twice": `{"name":"a","name":"b"}`,
		"large number": `{"bothelp_user_id":12345678901234567890123}`, "nested": `{"subscriber":{"name":"y"}}`,
		"only white": " \t\n", "quotes": "'\\'{p0:String}", "request": "POST /hooks/x/y HTTP/1.1\r\n\r\n",
		"deep":  strings.Repeat("[", 20_000),
		"times": `{"created_at":99999999999999999,"event":"x","event_timestamp":-5}`,
	}
}

func TestBodyBytes(t *testing.T) {
	s := newServer(t, nil)
	for name, body := range hostileBodies() {
		for _, chunks := range []int{0, 1, 7} {
			req := request("POST", "/hooks/demo/"+token, body, "Content-Encoding: gzip",
				"Content-Type: text/plain; charset=koi8-r")
			if chunks > 0 {
				req = "POST /hooks/demo/" + token + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
				for rest := body; rest != ""; {
					n := min(len(rest), max(1, len(body)/chunks))
					req += fmt.Sprintf("%x\r\n%s\r\n", n, rest[:n])
					rest = rest[n:]
				}
				req += "0\r\n\r\n"
			}
			if a := s.raw(req); a.StatusCode != 200 {
				t.Errorf("%s: %s", name, a.Status)
			}
			if e := s.one(); string(e.Body) != body || e.BodySHA256 != sha256.Sum256([]byte(body)) ||
				e.Verdict != event.Accepted {
				t.Errorf("%s in %d chunks: captured %q", name, chunks, e.Body)
			}
		}
	}
}

func TestHeaderLines(t *testing.T) {
	s := newServer(t, nil)
	s.raw("POST /hooks/demo/" + token +
		" HTTP/1.1\r\nX-Dup: 2\r\nx-dup: 1\r\nX-Dup:\r\nHost: Hooks.Example.COM:8080\r\nContent-Length: " +
		"2\r\nX-Bytes: \xd0\x90\xff,\"\\\r\n" +
		"Content-Type: application/ json\r\nX-Space:   a  b \r\nCookie: a=b\r\nCookie: c=d\r\nExpect: " +
		"100-continue\r\nPragma: no-cache\r\nX_Under: 1\r\n\r\n{}")
	want := []event.Header{{Name: "Content-Length", Value: "2"}, {Name: "Content-Type", Value: "application/ json"},
		{Name: "Cookie", Value: "a=b"}, {Name: "Cookie", Value: "c=d"}, {Name: "Expect", Value: "100-continue"},
		{Name: "Host", Value: "Hooks.Example.COM:8080"}, {Name: "Pragma", Value: "no-cache"},
		{Name: "X-Bytes", Value: "\xd0\x90\xff,\"\\"}, {Name: "X-Dup", Value: "2"}, {Name: "X-Dup", Value: "1"},
		{Name: "X-Dup", Value: ""}, {Name: "X-Space", Value: "a  b"}, {Name: "X_under", Value: "1"}}
	got := s.one().Headers
	for i := range got {
		if got[i].Name == "Cache-Control" && got[i].Value == "no-cache" {
			got = append(got[:i], got[i+1:]...) // net/http derives it from Pragma
			break
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// TestTargets verifies that source and step are read from the path, and that path and query are stored unchanged except
// for the token.
func TestTargets(t *testing.T) {
	s := newServer(t, nil)
	long := strings.Repeat("ы", 70)
	for _, c := range []struct{ target, source, step, path, query string }{
		{"/hooks/demo/T", "demo", "", "/hooks/demo/***", ""},
		{"/hooks/demo/T/", "demo", "", "/hooks/demo/***/", ""},
		{"/hooks/demo/T/start/", "demo", "start", "/hooks/demo/***/start/", ""},
		{"/hooks/demo/T//start", "demo", "start", "/hooks/demo/***//start", ""},
		{"/hooks/demo/T/sale-10%", "demo", "sale-10%", "/hooks/demo/***/sale-10%", ""},
		{"/hooks/demo/T/%D1%8b-10%?a=1 2", "demo", "ы-10%", "/hooks/demo/***/%D1%8b-10%", "a=1 2"},
		{"/hooks/demo/T/{%cuid%}", "demo", "{%cuid%}", "/hooks/demo/***/{%cuid%}", ""},
		{"/hooks/demo/T/two words", "demo", "two words", "/hooks/demo/***/two words", ""},
		{"/hooks/demo/T/tab\tand\x7f", "demo", "tab\tand\x7f", "/hooks/demo/***/tab\tand\x7f", ""},
		{"/hooks/demo/T/\xff\xfe", "demo", "\uFFFD", "/hooks/demo/***/\xff\xfe", ""},
		{" /hooks/demo/T/x ", "demo", "x", "/hooks/demo/***/x", ""},
		{"//hooks/demo/T/x", "demo", "x", "//hooks/demo/***/x", ""},
		{"/Hooks/demo/T/x", "demo", "x", "/Hooks/demo/***/x", ""},
		{"/./hooks/demo/T/x", "demo", "x", "/./hooks/demo/***/x", ""},
		{"/demo/T/x", "demo", "x", "/demo/***/x", ""},
		{"hooks/demo/T/x", "demo", "x", "hooks/demo/***/x", ""},
		{"/api/v1/hooks/demo/T/x", "demo", "x", "/api/v1/hooks/demo/***/x", ""},
		{"/hooks/demo//T/x", "demo", "x", "/hooks/demo//***/x", ""},
		{"/HOOKS/Demo/T/x", "demo", "x", "/HOOKS/Demo/***/x", ""},
		{"/hooks/demo/T%20/x", "demo", "x", "/hooks/demo/***%20/x", ""},
		{"/hooks/demo /T\u200b/x", "demo", "x", "/hooks/demo /***\u200b/x", ""},
		{"/hooks%2Fdemo%2f" + token + "%2Fx", "demo", "x", "/hooks%2Fdemo%2f***%2Fx", ""},
		{"/hooks/demo/T%2Fx", "demo", "x", "/hooks/demo/***%2Fx", ""},
		{"http://[::1/hooks/demo/T/10%", "demo", "10%", "/hooks/demo/***/10%", ""},
		{"/hooks/demo/T?", "demo", "", "/hooks/demo/***", ""},
		{"/hooks/demo/T/start?a=%2f&a=&=b;c&%zz", "demo", "start", "/hooks/demo/***/start", "a=%2f&a=&=b;c&%zz"},
		{"/hooks/demo/T/x?q=a?b#c", "demo", "x", "/hooks/demo/***/x", "q=a?b#c"},
		{"/hooks/demo/T/a/b//c/", "demo", "a/b/c", "/hooks/demo/***/a/b//c/", ""},
		{"/hooks/demo/T/../..", "demo", "../..", "/hooks/demo/***/../..", ""},
		{"/hooks/demo/T/%D0%BE%D0%BF%D0%BB%D0%B0%D1%82%D0%B0", "demo", "оплата",
			"/hooks/demo/***/%D0%BE%D0%BF%D0%BB%D0%B0%D1%82%D0%B0", ""},
		{"/hooks/demo/T/%d0%be+%20%2F%25", "demo", "о+ /%", "/hooks/demo/***/%d0%be+%20%2F%25", ""},
		{"/hooks/demo/T/оплата", "demo", "оплата", "/hooks/demo/***/оплата", ""},
		{"/hooks/demo/T/%FF%00", "demo", "\uFFFD\x00", "/hooks/demo/***/%FF%00", ""},
		{"/hooks/demo/T/" + strings.Repeat("a", 128), "demo", strings.Repeat("a", 128),
			"/hooks/demo/***/" + strings.Repeat("a", 128), ""},
		{"/hooks/demo/T/" + strings.Repeat("a", 129), "demo", strings.Repeat("a", 128),
			"/hooks/demo/***/" + strings.Repeat("a", 129), ""},
		{"/hooks/demo/T/a" + long, "demo", "a" + long[:126], "/hooks/demo/***/a" + long, ""},
		{"/hooks/%64emo/T/x", "demo", "x", "/hooks/%64emo/***/x", ""},
		{"/hooks/demo/%66irst-token%2D8Qx2/x", "demo", "x", "/hooks/demo/***/x", ""},
		{"http://elsewhere.example/hooks/demo/T/%D1%8b?a=b", "demo", "ы", "/hooks/demo/***/%D1%8b", "a=b"},
		{"http://elsewhere.example/hooks/demo/T/ы/a%2Fb", "demo", "ы/a/b", "/hooks/demo/***/ы/a%2Fb", ""},
	} {
		target := strings.Replace(c.target, "/T", "/"+token, 1)
		a := s.post(target, "{}")
		if a.StatusCode != 200 {
			t.Errorf("%s: %s", c.target, a.Status)
			s.take(int(s.spool.Stat().Records))
			continue
		}
		if e := s.one(); e.Source != c.source || e.Step != c.step || e.Path != c.path || e.Query != c.query {
			t.Errorf("%s:\n got %q %q %q %q\nwant %q %q %q %q", c.target, e.Source, e.Step, e.Path, e.Query, c.source,
				c.step, c.path, c.query)
		}
	}
	if a := s.post("/hooks/%D0%B4%D0%B5%D0%BC%D0%BE/"+other+"/x", "{}"); a.StatusCode != 200 ||
		s.one().Source != "демо" {
		t.Errorf("a Cyrillic source: %s", a.Status)
	}
	if a := s.post("/hooks/"+strings.Repeat("x", 10_000)+"%ff/y", "{}"); a.StatusCode != 404 ||
		len(s.one().Source) > 128 {
		t.Errorf("a long source: %s", a.Status)
	}
}

// TestHTTPVersionsAndConnections verifies old clients, kept connections and several requests in one write.
func TestHTTPVersionsAndConnections(t *testing.T) {
	s := newServer(t, nil)
	target := "/hooks/demo/" + token
	if a := s.raw("POST " + target + " HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}"); a.StatusCode != 200 ||
		s.one().Verdict != event.Accepted {
		t.Errorf("HTTP/1.0: %s", a.Status)
	}
	a := s.raws(request("POST", target, "1") + request("POST", target, "2") + request("GET", target,
		"") + request("POST", "/hooks/nobody/x", "4") + request("POST", target, "5"))
	if got := fmt.Sprint(a); got != "[200 200 405 404 200]" {
		t.Errorf("five requests in one write: %s", got)
	}
	var bodies string
	for _, e := range s.take(5) {
		bodies += string(e.Body)
	}
	if bodies != "1245" {
		t.Errorf("captured bodies %q", bodies)
	}
	for _, broken := range []string{"POST " + target + " HTTP/1.1\r\n\r\n",
		"POST " + target + " HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
		"POST " + target + " HTTP/9.9\r\nHost: a\r\n\r\n",
		"POST " + target + " HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n"} {
		if a := s.raw(broken); a.StatusCode < 400 || a.StatusCode == 500 {
			t.Errorf("%q: %s", broken, a.Status)
		}
		if e := s.one(); e.Verdict != event.Malformed {
			t.Errorf("%q: %s", broken, e.Verdict)
		}
	}
}

func TestTooMuchHeader(t *testing.T) {
	s := newServer(t, nil)
	if a := s.post("/hooks/demo/"+token, "{}", "X-Large: "+strings.Repeat("x", 60<<10)); a.StatusCode != 200 {
		t.Errorf("60 KiB: %s", a.Status)
	}
	if e := s.one(); len(headerOf(e, "X-Large")[0]) != 60<<10 {
		t.Errorf("60 KiB: captured %d bytes", len(headerOf(e, "X-Large")[0]))
	}
	conn := s.dial()
	go io.WriteString(conn, request("POST", "/hooks/demo/"+token, "{}", "X-Large: "+strings.Repeat("x", 72<<10)))
	// The server closes with bytes unread, so only the beginning of its answer arrives reliably.
	if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 431 ") {
		t.Errorf("72 KiB: %q, %v", line, err)
	}
	if e := s.one(); e.Verdict != event.Malformed {
		t.Errorf("72 KiB: %s", e.Verdict)
	}
}
