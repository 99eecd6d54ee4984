package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"hooktape/internal/testutil/browsertest"

	"hooktape/internal/testutil/storetest"
)

// TestConsole answers "did her lead reach us, and the CRM?" with the real program in a real browser: it logs in, finds
// the request by the person's name, looks at its bytes, sends it again, and sees the answer.
func TestConsole(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	i.start("serve")
	url := i.hookURL()
	body, err := os.ReadFile("testdata/hooks/flow-telegram-cyrillic.json")
	if err != nil {
		t.Fatal(err)
	}
	i.post(url+"/start", []byte(`{"name":"Иван","bothelp_user_id":"1"}`))
	id := i.post(url+"/start", body)
	target := newReceiver(t)
	i.eventually("the banner", func() error {
		if !strings.Contains(i.output.String(), "console     http://"+i.api) ||
			!strings.Contains(i.output.String(), `with the token of "admin"`) {
			return fmt.Errorf("got %s", i.output)
		}
		return nil
	})
	config, err := os.ReadFile(filepath.Join(i.dir, "hooktape.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`name: admin\s+token: (\S+)`).FindSubmatch(config)
	if token == nil {
		t.Fatal("the first configuration has no token for admin")
	}
	base := "http://" + i.api

	b := browsertest.New(t)
	b.Open(base + "/replays?endpoint=crm&failed_at=crm") // a dashboard links to this page
	b.AwaitText("label", "Token")
	b.Run(chromedp.SendKeys("#token", "a wrong one entirely\r", chromedp.ByQuery))
	b.AwaitText("[role=alert]", "This token is not in api.tokens")
	b.Run(chromedp.SendKeys("#token", string(token[1])+"\r", chromedp.ByQuery))
	b.AwaitText("h2", "New replay")
	b.AwaitText(".chips", "failed at")

	b.Open(base + "/")
	b.AwaitText("#rows", "Анна Петрова")
	b.Run(chromedp.SendKeys("#q", "Анна Петрова\r", chromedp.ByQuery))
	b.Await(`location.search.includes('text=') && document.querySelectorAll('#rows tr').length === 1`)
	b.Click("#rows a")
	b.Await(`location.pathname === '/events/` + id + `'`)
	b.AwaitText("#pretty", `"utm_campaign": "осень-2024"`)
	b.AwaitText("#body details pre", strings.TrimSpace(string(body)))
	var bytes string
	b.Script(`fetch(location.pathname + '/raw').then(r => r.text()).then(t => { window.raw = t }); 0`, nil)
	b.Await(`window.raw`)
	if b.Script(`window.raw`, &bytes); bytes != string(body) {
		t.Errorf("the page shows the bytes %q, want %q", bytes, body)
	}

	b.Run(chromedp.SetValue("#deliveries input[name=url]", target.URL+"/crm", chromedp.ByQuery),
		chromedp.Submit("#deliveries form", chromedp.ByQuery))
	b.AwaitText("#progress", "completed")
	b.AwaitText("#progress", "1 of 1 delivered")
	if target.count() != 1 || target.body[id] != string(body) {
		t.Errorf("the receiver got %d requests: %q", target.count(), target.body)
	}
	b.Open(base + "/events/" + id)
	b.Click("#deliveries .attempt summary")
	b.AwaitText("#deliveries .attempt", "200 OK")
	b.AwaitText("#deliveries .attempt pre", "taken")
	for _, trouble := range append(b.Trouble(), b.Elsewhere(base)...) {
		t.Errorf("in the browser: %s", trouble)
	}
	assertAPIBeside(t, base)
	link := i.loginLink(base)
	i.stop()
	if log := i.output.String(); strings.Contains(log, string(token[1])) || strings.Contains(log, "/login/link#") ||
		strings.Contains(log, link) || !strings.Contains(log, "wrong tokens are tried") {
		t.Errorf("unexpected lines, or missing ones, in the log:\n%s", log)
	}
}

// loginLink logs in by a link of the command login, in a browser, and returns the link's secret.
func (i *instance) loginLink(base string) (secret string) {
	i.t.Helper()
	printed := i.try("login", "--role", "read")
	address := strings.TrimSpace(printed.out)
	page, secret, ok := strings.Cut(address, "#")
	if !ok || page != base+"/login/link" || !strings.Contains(printed.err, "logs in once as admin (read), until ") {
		i.t.Fatalf("login: %+v", printed)
	}
	b := browsertest.New(i.t)
	b.Open(address)
	b.AwaitText("#link-found", "one-time link")
	b.Run(chromedp.Submit(`form[action="/login/link"]`, chromedp.ByQuery))
	b.AwaitText(".me", "read")
	b.Open(base + "/audit-log")
	b.AwaitText("h1", "Not allowed")
	if i.try("login", "--role", "owner").code == 0 {
		i.t.Error("login accepts an unknown role")
	}
	return secret
}

// TestConsoleBehindProxy verifies that wrong tokens count for the client that a trusted proxy names, so that an
// attacker behind it does not lock out other clients.
func TestConsoleBehindProxy(t *testing.T) {
	t.Parallel()
	i := newStoreInstance(t, "api: {tokens: [{name: admin, token: "+someToken+"}], trusted_proxies: [127.0.0.1/32]}\n")
	i.startReady("serve")
	login := func(token, client string) int {
		r, err := http.NewRequest(http.MethodPost, "http://"+i.api+"/login", strings.NewReader("token="+token))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Forwarded-For", client)
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	for range 20 {
		login("wrong", "203.0.113.9")
	}
	if status := login(someToken, "203.0.113.9"); status != http.StatusTooManyRequests {
		t.Errorf("the attacker got status %d", status)
	}
	if status := login(someToken, "2001:db8::7"); status != http.StatusSeeOther {
		t.Errorf("another client got status %d", status)
	}
	i.stop()
	if log := i.output.String(); !strings.Contains(log, "remote_ip=203.0.113.9") ||
		!strings.Contains(log, "remote_ip=2001:db8::7") || strings.Contains(log, "remote_ip=127.0.0.1") {
		t.Errorf("the log does not have the clients' addresses:\n%s", log)
	}
}

// assertAPIBeside verifies that the console does not change the answers at the API's paths.
func assertAPIBeside(t *testing.T, base string) {
	t.Helper()
	for path, want := range map[string]string{"/healthz": "text/plain", "/readyz": "application/json",
		"/docs": "text/html", "/openapi.json": "application/openapi+json", "/api/v1/events": "application/problem+json",
		"/api/v1/nothing": "application/problem+json"} {
		response, err := http.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is answered with %s %s", path, response.Status, got)
		}
	}
}
