package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hooktape/web/api"
)

// TestWrongTokens verifies that an address is refused after ten wrong tokens, whatever it sends, that one log line
// without the tokens says so, and that requests without a token do not count.
func TestWrongTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	options := f.options
	options.Guard = api.NewGuard(options.Logger) // the fixture's guard allows many wrong tokens
	handler, err := api.New(options)
	if err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewServer(handler)
	t.Cleanup(f.server.Close)
	const path, tried = "/api/v1/events", "a-wrong-token-of-somebody"
	for range 20 {
		if a := f.ask("", "GET", path, nil); a.status != http.StatusUnauthorized {
			t.Fatalf("without a token: %d", a.status)
		}
	}
	for i := range 10 {
		if a := f.ask(tried, "GET", path, nil); a.status != http.StatusUnauthorized {
			t.Fatalf("wrong token %d: %d", i, a.status)
		}
	}
	for _, secret := range []string{tried, readSecret} {
		a := f.ask(secret, "GET", path, nil)
		if p := a.problem(t); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" ||
			!strings.Contains(p.Detail, "too many wrong tokens") {
			t.Errorf("after ten wrong tokens: %d %v %s", a.status, a.header, p.Detail)
		}
	}
	log := f.log.String()
	if strings.Contains(log, tried) || strings.Count(log, "wrong tokens are tried") != 1 ||
		!strings.Contains(log, "at=api remote_ip=127.0.0.1") {
		t.Errorf("got the log\n%s", log)
	}
}
