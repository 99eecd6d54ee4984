package ingest_test

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"hooktape/ingest"
	"hooktape/internal/event"
)

// TestTokenIsNeverShown verifies that no token appears in stored events, logs, traces or metrics, however the URL is
// written or mistyped.
func TestTokenIsNeverShown(t *testing.T) {
	encoded := strings.ReplaceAll(url.PathEscape(token), "-", "%2D")
	for name, c := range map[string]struct{ target, header string }{
		"right":                       {"/hooks/demo/T/step", ""},
		"percent-encoded":             {"/hooks/demo/" + encoded + "/step", ""},
		"doubled slash before":        {"/hooks/demo//T/step", ""},
		"doubled slash at the start":  {"/hooks//demo/T/step", ""},
		"doubled slash at the root":   {"//hooks/demo/T/step", ""},
		"swapped":                     {"/hooks/T/demo/step", ""},
		"swapped and encoded":         {"/hooks/" + encoded + "/demo/step", ""},
		"as the source":               {"/hooks/T", ""},
		"as the source, closed":       {"/hooks/T/", ""},
		"twice":                       {"/hooks/demo/T/T", ""},
		"in the step":                 {"/hooks/demo/T/a/T/b", ""},
		"in the step of a bad token":  {"/hooks/demo/x/T/b", ""},
		"behind an encoded slash":     {"/hooks/demo/T/a%2FT", ""},
		"before an encoded slash":     {"/hooks/demo/T%2Fstep", ""},
		"unknown source":              {"/hooks/nobody/T/step", ""},
		"unknown source and swapped":  {"/hooks/T/nobody", ""},
		"of another source":           {"/hooks/demo/O/step", ""},
		"encoded prefix":              {"/%68ooks/demo/T/step", ""},
		"absolute form":               {"http://h/hooks/demo/T/step", ""},
		"in the query too":            {"/hooks/demo/T/step?token=T", ""},
		"only in the query":           {"/hooks/demo?token=T", ""},
		"wrong method":                {"GET /hooks/demo/T/step", ""},
		"X-Original-URI":              {"/hooks/demo/T/step", "X-Original-URI: /hooks/demo/T/step"},
		"Referer":                     {"/hooks/demo/T/step", "Referer: https://h/hooks/demo/T/step?a=b"},
		"encoded in X-Original-URI":   {"/hooks/demo/" + encoded, "X-Original-URI: /hooks/demo/" + encoded},
		"swapped, with a header":      {"/hooks/T/demo", "X-Original-URI: /hooks/T/demo"},
		"bad token, header with good": {"/hooks/demo/not-the-token", "X-Rewrite-URL: /hooks/demo/T"},
		"User-Agent":                  {"/hooks/demo/T", "User-Agent: T"},
		"bad signature":               {"/hooks/chat/T/step", ""},
		"too large":                   {"/hooks/small/O/step", "X-Pad: 1"},
		"upper-case prefix":           {"/HOOKS/demo/T", ""},
		"as the method":               {"@T /hooks/demo/T/step", ""},
		"as the method, bad token":    {"@T /hooks/demo/not-the-token", ""},
		"as a header's name":          {"/hooks/demo/T/step", "@T: 1"},
		"in a header's name":          {"/hooks/demo/not-the-token", "X-@T-X: 1"},
		"in the query, broken":        {"/hooks/nobody?a=%zz&t=" + encoded, ""},
		"in the query, encoded twice": {"/hooks/demo/T?t=" + strings.ReplaceAll(encoded, "%", "%25"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			spans.Reset()
			fill := strings.NewReplacer("/T", "/"+token, "=T", "="+token, ": T", ": "+token, "%2FT", "%2F"+token, "/O",
				"/"+other, "@T", token)
			method, target, ok := strings.Cut(fill.Replace(c.target), " ")
			if !ok {
				method, target = "POST", method
			}
			var headers []string
			if c.header != "" {
				headers = append(headers, fill.Replace(c.header))
			}
			body := strings.Repeat("{}", 600)
			s.raw(request(method, target, body, headers...))
			s.stop()
			stored := s.take(int(s.spool.Stat().Records))
			for _, e := range stored {
				e.Body = nil
				assertNoToken(t, "what is stored",
					fmt.Sprintf("%q", []any{e.Source, e.Step, e.Path, e.Query, e.Method, e.Headers}))
			}
			for _, span := range spans.GetSpans() {
				assertNoToken(t, "a span", spanText(span))
			}
			assertNoToken(t, "the log", s.log.String())
			assertNoToken(t, "a metric", fmt.Sprintf("%v", collect(t)))
			if len(stored) == 1 && stored[0].Verdict == event.Accepted && !strings.Contains(stored[0].Path, "***") {
				t.Errorf("got the path %q", stored[0].Path)
			}
		})
	}
}

// TestTokenCut verifies that truncating a step or a source's name never leaves a part of a token.
func TestTokenCut(t *testing.T) {
	s := newServer(t, nil)
	for _, target := range []string{valid + "/@", "/hooks/@/x"} {
		s.post(strings.Replace(target, "@", strings.Repeat("x", 120)+token, 1), "{}")
		if e := s.one(); strings.Contains(e.Step+e.Source, token[:8]) || !strings.Contains(e.Step+e.Source, "x***") {
			t.Errorf("%s: source %q, step %q", target, e.Source, e.Step)
		}
	}
}

// TestTokenInRejectedBody verifies that the body of a rejected request is stored without tokens, and that of an
// accepted request unchanged.
func TestTokenInRejectedBody(t *testing.T) {
	s := newServer(t, nil)
	body := `{"url":"/hooks/demo/` + token + `","other":"` + other + `"}`
	for _, target := range []string{"/hooks/nobody/x", "/hooks/demo/an-old-token-of-demo", "/hooks/chat/" + token} {
		s.post(target, body+"an-old-token-of-demo")
		e := s.one()
		assertNoToken(t, target, string(e.Body))
		if !strings.HasPrefix(string(e.Body), `{"url":"/hooks/demo/***","other":"***"}`) ||
			e.BodySHA256 != sha256.Sum256(e.Body) {
			t.Errorf("%s: got the body %s", target, e.Body)
		}
		if strings.Contains(target, "old-token") && strings.Contains(string(e.Body), "old-token") {
			t.Errorf("the request's token appears in the body: %s", e.Body)
		}
	}
	s.post("/hooks/demo/"+token, body)
	if e := s.one(); string(e.Body) != body {
		t.Errorf("got the accepted body %s", e.Body)
	}
}

// spanText returns all texts of a span.
func spanText(span tracetest.SpanStub) string {
	text := []string{span.Name, span.Status.Description}
	add := func(attributes []attribute.KeyValue) {
		for _, kv := range attributes {
			text = append(text, string(kv.Key), kv.Value.String())
		}
	}
	add(span.Attributes)
	for _, e := range span.Events {
		text = append(text, e.Name)
		add(e.Attributes)
	}
	for _, link := range span.Links {
		text = append(text, link.SpanContext.TraceState().String())
		add(link.Attributes)
	}
	return strings.Join(text, " ")
}

func assertNoToken(t *testing.T, where, text string) {
	t.Helper()
	plain, err := url.PathUnescape(text)
	if err != nil {
		plain = strings.ReplaceAll(text, "%2D", "-")
	}
	for _, secret := range []string{token, other, signing} {
		if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) || strings.Contains(plain, secret) {
			t.Errorf("%s contains %q: %s", where, secret, text)
		}
	}
}

// TestHostIsNoLabel verifies that an invented Host or method creates no time series.
func TestHostIsNoLabel(t *testing.T) {
	s := newServer(t, nil)
	s.raw("FROBNICATE /hooks/invented-source/x HTTP/1.1\r\nHost: invented.example\r\nUser-Agent: invented-agent\r\n\r\n")
	text := fmt.Sprintf("%v", collect(t))
	for _, word := range []string{"invented", "FROBNICATE"} {
		if strings.Contains(text, word) {
			t.Errorf("a metric has a label with %s", word)
		}
	}
	if !strings.Contains(text, "(unknown)") {
		t.Error("the request was not counted")
	}
}

// TestPanicTellsNothing verifies that a panic's value, which may be part of the request, is not logged.
func TestPanicTellsNothing(t *testing.T) {
	spans.Reset()
	s := newServer(t, func(c *config) {
		c.between = func(to ingest.Spool) ingest.Spool { return &panicking{Spool: to, value: "/hooks/demo/" + token} }
	})
	s.post("/hooks/demo/"+token, "{}")
	s.stop()
	assertNoToken(t, "the log", s.log.String())
	for _, span := range spans.GetSpans() {
		assertNoToken(t, "a span", spanText(span))
	}
}
