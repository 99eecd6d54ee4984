package console_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"hooktape/internal/testutil/browsertest"
	"hooktape/web/api"
)

// loginLink returns the address of a new link for a role, and its secret.
func (f *fixture) loginLink(role api.Role) (address, secret string) {
	f.t.Helper()
	link, err := f.direct.As(api.Principal{Name: "boss", Role: api.RoleAdmin},
		netip.MustParseAddr("192.0.2.9")).CreateLoginLink(background, role)
	if err != nil {
		f.t.Fatal(err)
	}
	_, secret, _ = strings.Cut(link.Path, "#")
	return f.url + link.Path, secret
}

// testLoginLink: a link works once; whoever fetches its address, or sends the form from another site, does not use it
// up.
func (f *fixture) testLoginLink() {
	t := f.t
	address, secret := f.loginLink(api.RoleRead)
	p := f.stranger()
	for range 3 {
		if a := p.get("/login/link"); a.status != http.StatusOK || !strings.Contains(a.body, `action="/login/link"`) ||
			a.header.Get("Set-Cookie") != "" {
			t.Errorf("the page: %d %s", a.status, a.body)
		}
	}
	if a := p.get("/login/link?link=" + secret); a.header.Get("Set-Cookie") != "" {
		t.Error("a GET has logged in")
	}
	for _, from := range []string{"cross-site", "same-site"} {
		if a := p.post("/login/link", url.Values{"link": {secret}}, "Sec-Fetch-Site", from, "Origin",
			"https://evil.example"); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" {
			t.Errorf("a form of another site: %d", a.status)
		}
	}
	a := p.post("/login/link", url.Values{"link": {" " + address + "\n"}}) // pasted as a whole
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/" ||
		!strings.Contains(a.header.Get("Set-Cookie"), "HttpOnly") {
		t.Fatalf("the login: %d %v", a.status, a.header)
	}
	if page := p.page("/"); !strings.Contains(page, "<bdi>boss</bdi> <small>read</small>") {
		t.Error("the page does not name the link's user and role")
	}
	other := f.stranger()
	if a := other.post("/login/link", url.Values{"link": {secret}}); a.status != http.StatusUnauthorized ||
		!strings.Contains(a.body, "was used already") || !strings.Contains(a.body, "hooktape login") ||
		a.header.Get("Set-Cookie") != "" {
		t.Errorf("the second use: %d %s", a.status, a.body)
	}
	if a := other.post("/login", url.Values{"token": {secret}}); a.status != http.StatusUnauthorized {
		t.Errorf("a link as token: %d", a.status)
	}
	if strings.Contains(f.log.String(), secret) || !strings.Contains(f.log.String(), "link=boss") {
		t.Errorf("the log says\n%s", f.log)
	}
	entries, err := f.db.AuditLog(background, 100)
	found := false
	for _, e := range entries {
		found = found || e.Action == "login-link.create" && e.Who == "boss" && e.RemoteIP == "192.0.2.9" &&
			e.Detail == `{"role":"read"}`
		if strings.Contains(e.Detail+e.Target, secret) {
			t.Errorf("the audit log has the secret: %+v", e)
		}
	}
	if err != nil || !found {
		t.Errorf("the audit log lacks the link: %v %+v", err, entries)
	}
}

// testLoginLinkInBrowser: the button logs in; the secret is in no address that the browser keeps or sends.
func (f *fixture) testLoginLinkInBrowser() {
	address, secret := f.loginLink(api.RoleAdmin)
	b := browsertest.New(f.t)
	b.Open(address)
	b.AwaitText("#link-found", "one-time link")
	b.Await(`!location.href.includes('#') && !document.querySelector('#link-field').checkVisibility()`)
	b.Run(chromedp.Submit(`form[action="/login/link"]`, chromedp.ByQuery))
	b.AwaitText("h1", "Events")
	b.AwaitText(".me", "boss")
	var now string
	b.Script(`location.href + document.referrer + document.documentElement.outerHTML`, &now)
	if strings.Contains(now, secret) {
		f.t.Error("the secret is in the page after the login")
	}
	f.assertClean(b)
	again := browsertest.New(f.t)
	again.Open(address)
	again.Run(chromedp.Submit(`form[action="/login/link"]`, chromedp.ByQuery))
	again.AwaitText("[role=alert]", "was used already")
}

// TestWrongLinks: wrong links are limited as wrong tokens are, and an address at its limit cannot use up a link.
func TestWrongLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, secret := f.loginLink(api.RoleRead)
	p := f.stranger()
	for i := range 11 {
		a := p.post("/login/link", url.Values{"link": {"wrong"}})
		if want := map[bool]int{true: http.StatusUnauthorized,
			false: http.StatusTooManyRequests}[i < 10]; a.status != want {
			t.Fatalf("wrong link %d: %d", i+1, a.status)
		}
	}
	if a := p.post("/login/link", url.Values{"link": {secret}}); a.status != http.StatusTooManyRequests {
		t.Errorf("the right link at the limit: %d", a.status)
	}
	if _, ok := f.direct.UseLoginLink(secret); !ok {
		t.Error("a refused attempt has used the link up")
	}
}
