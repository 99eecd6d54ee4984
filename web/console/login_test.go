package console_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// testLogin logs in and out, and verifies that a login continues to the requested page.
func (f *fixture) testLogin() {
	t := f.t
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	p := f.stranger()
	for path, to := range map[string]string{"/": "/login",
		"/events/" + e.ID.String() + "?all=1": "/login?to=%2Fevents%2F" + e.ID.String() + "%3Fall%3D1",
		"/nowhere":                            "/login?to=%2Fnowhere"} {
		if a := p.get(path); a.status != http.StatusSeeOther || a.header.Get("Location") != to ||
			strings.Contains(a.body, "Анна") {
			t.Errorf("%s without a login: %d to %s", path, a.status, a.header.Get("Location"))
		}
	}
	if a := p.get("/events/newer?after=2026-01-01T00:00:00Z", "HX-Request", "true", "Referer",
		f.url+"/?since=1h"); a.status != http.StatusUnauthorized ||
		a.header.Get("HX-Redirect") != "/login?to=%2F%3Fsince%3D1h" {
		t.Errorf("part of a page without a login: %d to %s", a.status, a.header.Get("HX-Redirect"))
	}
	a := p.post("/login", url.Values{"token": {" " + readSecret + "\n"}, "to": {"/events/" + e.ID.String()}})
	cookie := a.header.Get("Set-Cookie")
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/events/"+e.ID.String() {
		t.Fatalf("login: %d to %s", a.status, a.header.Get("Location"))
	}
	for _, part := range []string{"hooktape_session=", "; Path=/", "; HttpOnly", "; SameSite=Strict"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q has no %q", cookie, part)
		}
	}
	if strings.Contains(cookie, "Secure") || strings.Contains(cookie, readSecret) {
		t.Errorf("cookie over plain HTTP: %q", cookie)
	}
	if !strings.Contains(p.page("/events/"+e.ID.String()), "Анна") {
		t.Error("the event's page does not show the person's name")
	}
	if a := p.get("/login?to=/sources"); a.header.Get("Location") != "/sources" {
		t.Errorf("the login page for a logged-in user: %d", a.status)
	}
	id := p.web.Jar.Cookies(nil)[0]
	if a := p.post("/logout", nil); a.header.Get("Location") != "/login" {
		t.Errorf("logout: %d", a.status)
	}
	p.web.Jar.SetCookies(nil, []*http.Cookie{id})
	if a := p.get("/"); a.status != http.StatusSeeOther {
		t.Error("the session is valid after the logout")
	}
	// Whoever logs in as somebody else, by a token or by a link, leaves no session behind.
	_, secret := f.loginLink(api.RoleRead)
	for page, form := range map[string]url.Values{"/login": {"token": {replaySecret}},
		"/login/link": {"link": {secret}}} {
		p.post("/login", url.Values{"token": {adminSecret}})
		before := p.web.Jar.Cookies(nil)[0]
		if a := p.post(page, form); a.status != http.StatusSeeOther {
			t.Fatalf("%s: %d", page, a.status)
		}
		p.web.Jar.SetCookies(nil, []*http.Cookie{before})
		if a := p.get("/"); a.status != http.StatusSeeOther {
			t.Errorf("%s leaves the session of the admin behind: %d", page, a.status)
		}
	}
	if !strings.Contains(f.log.String(), "token=reader") {
		t.Error("the log does not say who logged in")
	}
}

// testLoginOverTLS verifies that behind a proxy with TLS the cookie is sent over TLS only.
func (f *fixture) testLoginOverTLS() {
	t := f.t
	a := f.stranger().post("/login", url.Values{"token": {readSecret}}, "X-Forwarded-Proto", "https", "Sec-Fetch-Site",
		"same-origin")
	if cookie := a.header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-hooktape_session=") ||
		!strings.Contains(cookie, "; Secure") || !strings.Contains(cookie, "Path=/;") ||
		strings.Contains(cookie, "Domain") {
		t.Errorf("got the cookie %q", cookie)
	}
	overTLS := []string{"X-Forwarded-Proto", "https", "Sec-Fetch-Site", "same-origin"}
	login := func(secret string, more ...string) (headers []string) {
		t.Helper()
		a := f.stranger().post("/login", url.Values{"token": {secret}}, append(more, overTLS...)...)
		cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		return append([]string{"Cookie", cookie}, overTLS...)
	}
	admitted := func(headers []string) bool { return f.stranger().get("/", headers...).status == http.StatusOK }
	first := login(readSecret)
	if !admitted(first) || admitted(append([]string{"Cookie", strings.TrimPrefix(first[1], "__Host-")}, overTLS...)) {
		t.Error("over TLS not exactly the cookie with the prefix is a session")
	}
	second := login(replaySecret, first[:2]...)
	if admitted(first) || !admitted(second) {
		t.Error("a login over TLS leaves the session before it behind")
	}
	a = f.stranger().post("/logout", nil, second...)
	if cookie := a.header.Get("Set-Cookie"); admitted(second) ||
		!strings.HasPrefix(cookie, "__Host-hooktape_session=; Path=/; Max-Age=0") || !strings.Contains(cookie, "Secure") {
		t.Errorf("a logout over TLS: %d %q", a.status, cookie)
	}
}

// TestWrongTokens verifies that failed logins are logged without the token, and limited for each address.
func TestWrongTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	p := f.stranger()
	const tried = "a-wrong-token-of-somebody"
	for i := range 10 {
		if a := p.post("/login", url.Values{"token": {tried}}); a.status != http.StatusUnauthorized ||
			a.header.Get("Set-Cookie") != "" {
			t.Fatalf("wrong token %d: %d", i, a.status)
		}
	}
	if a := p.post("/login", url.Values{"token": {readSecret}}); a.status != http.StatusTooManyRequests ||
		!strings.Contains(a.body, "Wait half a minute") {
		t.Errorf("after ten wrong tokens: %d", a.status)
	}
	log := f.log.String()
	if strings.Contains(log, tried) || strings.Count(log, "wrong tokens are tried") != 1 ||
		!strings.Contains(log, "at=console remote_ip=127.0.0.1 since_last_line=1") {
		t.Errorf("got the log\n%s", log)
	}
	other := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"token": {readSecret}}.Encode()))
	other.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	other.RemoteAddr = "192.0.2.9:1234"
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, other)
	if w.Code != http.StatusSeeOther {
		t.Errorf("another address is locked out, too: %d", w.Code)
	}
}

// TestSessionsEnd verifies that a session ends after twelve hours without a request, and after seven days in any case.
func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := console.NewSessions()
		who := api.Principal{Name: "boss", Role: api.RoleAdmin}
		idle, busy, left := s.Begin(who), s.Begin(who), s.Begin(who)
		if idle == busy || len(idle) != 43 {
			t.Errorf("got the ids %q and %q", idle, busy)
		}
		for hours := 0; hours < 7*24; hours++ {
			if got, ok := s.Find(busy, true); !ok || got != who {
				t.Fatalf("the session ended after %d hours", hours)
			}
			if _, ok := s.Find(left, false); ok != (hours < 12) {
				t.Fatalf("session of an open page after %d hours: valid %v", hours, ok)
			}
			if hours == 11 {
				if _, ok := s.Find(idle, true); !ok {
					t.Error("an idle session ended after 11 hours")
				}
			}
			if hours == 23 {
				if _, ok := s.Find(idle, true); ok {
					t.Error("an idle session is valid after 12 hours")
				}
			}
			time.Sleep(time.Hour)
		}
		if _, ok := s.Find(busy, true); ok {
			t.Error("a session is valid after seven days")
		}
		if _, ok := s.Find("", true); ok {
			t.Error("an empty id is a valid session")
		}
	})
}

// TestOtherSites verifies that a change is rejected when another site sends it.
func TestOtherSites(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	p := f.login(adminSecret)
	for _, path := range []string{"/login", "/logout", "/events/" + e.ID.String() + "/replay",
		"/replays?since=1h&endpoint=crm", "/endpoints/crm/pause", "/endpoints/crm/test", "/sources/demo/reveal",
		"/columns"} {
		for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
			{"Origin", "https://evil.example"}, {"Origin", "null"}} {
			if a := p.post(path, url.Values{"endpoint": {"crm"}, "token": {adminSecret}},
				header...); a.status != http.StatusForbidden || a.header.Get("Set-Cookie") != "" ||
				strings.Contains(a.body, hookSecret) {
				t.Errorf("POST %s with %v: %d", path, header, a.status)
			}
		}
		if a := p.get(path); a.status == http.StatusOK && strings.HasPrefix(path, "/events/") {
			t.Errorf("GET %s: %d", path, a.status)
		}
	}
	if events, _ := f.receiver.count(); events != 0 {
		t.Error("a rejected request sent an event")
	}
	if a := p.post("/events/"+e.ID.String()+"/replay", url.Values{"endpoint": {"crm"}}, "Origin",
		f.url); a.status != http.StatusSeeOther {
		t.Errorf("request from the console's own page: %d", a.status)
	}
}

// TestRoles verifies that each role may do on the pages what it may do at the API.
func TestRoles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	reader := f.login(readSecret)
	replayer := f.login(replaySecret)
	boss := f.login(adminSecret)
	for _, path := range []string{"/events/" + e.ID.String() + "/replay", "/replays?since=1h&endpoint=crm",
		"/replays/" + e.ID.String() + "/pause", "/endpoints/crm/pause", "/endpoints/crm/test"} {
		if a := reader.post(path, url.Values{"endpoint": {"crm"}}); a.status != http.StatusForbidden ||
			!strings.Contains(a.body, "this needs the role replay; the token &#34;reader&#34; has the role read") {
			t.Errorf("POST %s by a reader: %d %s", path, a.status, a.body)
		}
	}
	if page := reader.page("/events/"+
		e.ID.String()) + reader.page("/endpoints") + reader.page("/replays?since=1h&endpoint=crm") + reader.page("/"); strings.Contains(page, `method="post" action="/e`) || strings.Contains(page, `method="post" action="/r`) {
		t.Error("the page offers a reader an action that needs another role")
	}
	for who, p := range map[string]*person{"reader": reader, "replayer": replayer} {
		if a := p.get("/?where=1"); a.status != http.StatusForbidden {
			t.Errorf("expression by a %s: %d", who, a.status)
		}
		if a := p.post("/replays?where=1&endpoint=crm", nil); a.status != http.StatusForbidden {
			t.Errorf("replay of an expression by a %s: %d", who, a.status)
		}
		for _, path := range []string{"/events.csv?where=1", "/events.ndjson?where=1",
			"/events/newer?where=1&after=2026-01-01T00:00:00Z", "/events/chart?where=1",
			"/events/further?where=1&found=0"} {
			if a := p.get(path); a.status != http.StatusForbidden {
				t.Errorf("%s by a %s: %d", path, who, a.status)
			}
		}
		if a := p.post("/sources/demo/reveal", nil); a.status != http.StatusForbidden ||
			strings.Contains(a.body, hookSecret) {
			t.Errorf("token of the hook for a %s: %d", who, a.status)
		}
	}
	if a := boss.get("/?where=name+%3D+'Анна'"); a.status != http.StatusOK || !strings.Contains(a.body, e.ID.String()) {
		t.Errorf("expression by an admin: %d", a.status)
	}
	if a := boss.get("/?where=name+%3D"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("invalid expression: %d", a.status)
	}
	if a := boss.post("/sources/demo/reveal", nil); a.status != http.StatusOK || !strings.Contains(a.body, hookSecret) {
		t.Errorf("token of the hook for an admin: %d", a.status)
	}
	for _, p := range []*person{reader, replayer, boss} {
		for _, path := range []string{"/sources", "/events/" + e.ID.String(), "/endpoints"} {
			if page := p.page(path); strings.Contains(page, hookSecret) || strings.Contains(page, queryOfCRM) ||
				strings.Contains(page, headerOfCRM) {
				t.Errorf("%s shows a secret", path)
			}
		}
	}
}

// TestAudit verifies that the audit log has who viewed a body, once an hour, and every action.
func TestAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := newLead("7", "Анна", time.Minute)
	f.insert(e)
	reader, boss := f.login(readSecret), f.login(adminSecret)
	for range 3 {
		reader.page("/events/" + e.ID.String())
		reader.page("/events/" + e.ID.String() + "/raw")
	}
	boss.page("/events/" + e.ID.String())
	reader.page("/events.csv?since=1h")
	boss.post("/sources/demo/reveal", nil)
	boss.post("/endpoints/crm/test", nil)
	boss.post("/events/"+e.ID.String()+"/replay", url.Values{"endpoint": {"crm"}})
	var chosen strings.Builder
	for range 200 {
		chosen.WriteString("&id=" + uuid.NewString())
	}
	boss.page("/events.ndjson?chosen=1" + chosen.String())
	// another selection with the same beginning
	boss.page("/events.ndjson?chosen=1" + chosen.String() + "&id=" + uuid.NewString())
	sent := event.Replay{ID: uuid.New(), CreatedAt: time.Now(), UpdatedAt: time.Now(), State: event.ReplayCompleted,
		Endpoint: replay.TargetName("https://evil.example/?key=" + queryOfCRM)}
	if err := f.db.SaveReplay(background, sent); err != nil {
		t.Fatal(err)
	}
	reader.page("/events.csv?undelivered_to=" + url.QueryEscape("https://evil.example/?key="+queryOfCRM))
	reader.get("/events.csv?chosen=1") // refused, so not a view
	entries, err := f.db.AuditLog(background, 100)
	if err != nil {
		t.Fatal(err)
	}
	count, targets := map[string]int{}, map[string]string{}
	for _, entry := range entries {
		count[entry.Who+" "+entry.Action]++
		targets[entry.Who+" "+entry.Action] = entry.Target
		if entry.Who+entry.Action == "readerevents.download" && !strings.HasPrefix(entry.Target, "/?from=20") &&
			!strings.HasPrefix(entry.Target, "/?undelivered_to=https%3A%2F%2Fevil.example%2F%3Fkey%3D%2A%2A%2A") {
			t.Errorf("audit entry of a download has the target %q", entry.Target)
		}
		if entry.RemoteIP != "127.0.0.1" {
			t.Errorf("%s by %s has the address %q", entry.Action, entry.Who, entry.RemoteIP)
		}
	}
	want := map[string]int{"reader event.view": 1, "reader event.download": 1, "boss event.view": 1,
		"reader events.download": 2, "boss events.download": 2, "boss source.reveal": 1, "boss endpoint.test": 1,
		"boss replay.create": 1}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("audit log: %v, want %v", count, want)
	}
	for entry, want := range map[string]string{"reader event.view": e.ID.String(),
		"reader event.download": e.ID.String(), "boss source.reveal": "demo", "boss endpoint.test": "crm"} {
		if targets[entry] != want {
			t.Errorf("%s has the targets %q, want %q", entry, targets[entry], want)
		}
	}
	if long := targets["boss events.download"]; len(long) != 2000 || !strings.HasPrefix(long, "/?id=") {
		t.Errorf("the audit log has a long selection with %d characters", len(long))
	}
}

// testHeaders verifies that caches store assets forever and no pages, and that the policy forbids inline scripts.
func (f *fixture) testHeaders() {
	t := f.t
	a := f.stranger().get("/login")
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Content-Type": "text/html; charset=utf-8",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, rest, _ := strings.Cut(a.body, `<script src="`)
	path, _, _ := strings.Cut(rest, `"`)
	if a := f.stranger().get(path); a.status != http.StatusOK ||
		a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" ||
		!strings.Contains(a.header.Get("Content-Type"), "javascript") {
		t.Errorf("%s: %d, %s", path, a.status, a.header)
	}
	if a := f.stranger().get(strings.Replace(path, "/assets/", "/assets/0", 1)); a.status != http.StatusNotFound {
		t.Errorf("asset of another version: %d", a.status)
	}
}

// TestNoTokens verifies that without tokens the login says what is missing, and that nobody can log in.
func TestNoTokens(t *testing.T) {
	t.Parallel()
	handler, err := console.New(console.Options{Guard: api.NewGuard(slog.New(slog.DiscardHandler)),
		Sources: func() []console.Source {
			return nil
		}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("GET", "/login", nil))
	if !strings.Contains(w.Body.String(), "has no <code>api.tokens</code>") {
		t.Errorf("the login page shows %s", w.Body)
	}
	for _, token := range []string{"", " ", adminSecret} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if handler.ServeHTTP(w, r); w.Code != http.StatusUnauthorized || w.Header().Get("Set-Cookie") != "" {
			t.Errorf("with the token %q: %d", token, w.Code)
		}
	}
}
