package console_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/browsertest"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// TestMain ignores idle connections: clickhouse-go leaks one that it closes right after an error response.
func TestMain(m *testing.M) {
	*console.FormTimeout = 3 * time.Second
	goleak.VerifyTestMain(browserTests{m}, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// browserTests runs all tests of the package, which share a Chromium.
type browserTests struct{ *testing.M }

// Run implements goleak.TestingM.
func (t browserTests) Run() int {
	defer browsertest.Hold()()
	return t.M.Run()
}

var background = context.Background()

const (
	readSecret   = "the-secret-of-read-0123456789"
	replaySecret = "the-secret-of-replay-0123456789"
	adminSecret  = "the-secret-of-admin-0123456789"
	hookSecret   = "the-secret-of-the-hook"
	queryOfCRM   = "a-secret-of-crm"
	headerOfCRM  = "another-secret-of-crm"
)

// fixture is a console on a real engine, with a process that delivers.
type fixture struct {
	t        *testing.T
	db       *store.Store
	log      *testutil.Log
	dsn      string
	url      string
	handler  http.Handler
	direct   *api.Direct
	server   *httptest.Server
	receiver *receiver // the endpoint crm
}

func newFixture(t *testing.T, more ...replay.Endpoint) *fixture {
	t.Helper()
	dsn := storetest.DSN(t)
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := &fixture{t: t, db: db, dsn: dsn, log: &testutil.Log{}, receiver: newReceiver(t)}
	logger := slog.New(slog.NewTextHandler(f.log, nil))
	crm := replay.DefaultEndpoint("crm", f.receiver.URL+"/hooks?token="+queryOfCRM)
	crm.AllowPrivate, crm.Breaker.Failures = true, 0
	crm.Headers = []event.Header{{Name: "X-Api-Key", Value: headerOfCRM}}
	crm.Retry.Schedule, crm.Retry.MaxAttempts = []time.Duration{20 * time.Millisecond}, 2
	endpoints := append([]replay.Endpoint{crm}, more...)

	o := spool.DefaultOptions()
	o.MinFree, o.Logger = 0, slog.New(slog.DiscardHandler)
	outcomes, err := spool.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	recorder := replay.NewRecorder(outcomes, db, logger)
	runner := replay.NewRunner(replay.Options{AllowPrivate: true}, endpoints, db, recorder, logger)
	stopRecorder, stopRunner := start(t, recorder.Run), start(t, runner.Run)
	t.Cleanup(func() { stopRunner(); stopRecorder(); outcomes.Close() })

	f.direct = api.NewDirect(db, replay.NewService(db, func() []replay.Endpoint {
		return endpoints
	}, true), replay.Actor{})
	f.handler, err = console.New(console.Options{Direct: f.direct, Guard: api.NewGuard(logger), Version: "test",
		Logger: logger, BothelpAccount: "school", Tokens: []api.Token{{Name: "reader", Secret: readSecret,
			Role: api.RoleRead}, {Name: "replayer", Secret: replaySecret, Role: api.RoleReplay},
			{Name: "boss", Secret: adminSecret, Role: api.RoleAdmin}},
		Sources: func() []console.Source {
			return []console.Source{{Name: "demo", HookURL: "https://hooks.example.org/hooks/demo/" + hookSecret,
				Signed: true}, price}
		}})
	if err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewServer(f.handler)
	t.Cleanup(f.server.Close)
	f.url = f.server.URL
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", f.log)
		}
		for _, secret := range []string{readSecret, replaySecret, adminSecret, hookSecret, queryOfCRM, headerOfCRM} {
			if strings.Contains(f.log.String(), secret) {
				t.Errorf("the log shows a secret:\n%s", f.log)
			}
		}
	})
	return f
}

// consoleOn returns the fixture with a console on another address of ClickHouse, for a reader.
func (f *fixture) consoleOn(dsn string) *fixture {
	f.t.Helper()
	db, err := store.Open(dsn)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { db.Close() })
	logger := slog.New(slog.NewTextHandler(f.log, nil))
	handler, err := console.New(console.Options{Guard: api.NewGuard(logger), Logger: logger, Version: "test",
		Direct: api.NewDirect(db, replay.NewService(db, func() []replay.Endpoint { return nil }, false),
			replay.Actor{}),
		Tokens:  []api.Token{{Name: "reader", Secret: readSecret, Role: api.RoleRead}},
		Sources: func() []console.Source { return nil }})
	if err != nil {
		f.t.Fatal(err)
	}
	other := *f
	other.server = httptest.NewServer(handler)
	f.t.Cleanup(other.server.Close)
	other.handler, other.url = handler, other.server.URL
	return &other
}

// on returns the fixture for a subtest.
func (f *fixture) on(t *testing.T) *fixture {
	other := *f
	other.t = t
	return &other
}

// TestShared runs tests that share a fixture. Each uses its own events only.
func TestShared(t *testing.T) {
	t.Parallel()
	shared := newFixture(t)
	for name, test := range map[string]func(*fixture){
		"Login": (*fixture).testLogin, "LoginOverTLS": (*fixture).testLoginOverTLS,
		"LinkFromElsewhere": (*fixture).testLinkFromElsewhere, "Headers": (*fixture).testHeaders,
		"Columns": (*fixture).testColumns, "Zone": (*fixture).testZone, "BrowsersZone": (*fixture).testBrowsersZone,
		"RelativeTimes": (*fixture).testRelativeTimes, "Bytes": (*fixture).testBytes, "Curl": (*fixture).testCurl,
		"VisibleTitle": (*fixture).testVisibleTitle, "Subscriber": (*fixture).testSubscriber,
		"AcceptRoles": (*fixture).testAcceptRoles, "ExternalRequest": (*fixture).testExternalRequest,
		"LoginLink": (*fixture).testLoginLink, "LoginLinkInBrowser": (*fixture).testLoginLinkInBrowser,
		"Analytics": (*fixture).testAnalytics, "AnalyticsByHand": (*fixture).testAnalyticsByHand,
		"AnalyticsPeople": (*fixture).testAnalyticsPeople, "IDs": (*fixture).testIDs,
		"AnalyticsZones": (*fixture).testAnalyticsZones,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(shared.on(t))
		})
	}
}

// start runs an actor. The returned function stops it and waits for it.
func start(t *testing.T, actor func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(background)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := actor(ctx); err != nil && !errors.Is(err, spool.ErrClosed) {
			t.Errorf("an actor ended: %v", err)
		}
	}()
	return func() { cancel(); <-done }
}

// person is a user with a simple HTTP client.
type person struct {
	f   *fixture
	web *http.Client
}

type jar struct {
	mu      sync.Mutex
	cookies map[string]*http.Cookie
}

func (j *jar) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		if c.MaxAge < 0 {
			delete(j.cookies, c.Name)
		} else {
			j.cookies[c.Name] = c
		}
	}
}

func (j *jar) Cookies(*url.URL) (list []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.cookies {
		list = append(list, &http.Cookie{Name: c.Name, Value: c.Value})
	}
	return list
}

// stranger returns a user without a login. The client does not follow redirects.
func (f *fixture) stranger() *person {
	return &person{f, &http.Client{Jar: &jar{cookies: map[string]*http.Cookie{}},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		}}}
}

// login logs a person in.
func (f *fixture) login(secret string) *person {
	f.t.Helper()
	p := f.stranger()
	if a := p.post("/login", url.Values{"token": {secret}}); a.status != http.StatusSeeOther {
		f.t.Fatalf("login: %d %s", a.status, a.body)
	}
	return p
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (p *person) ask(method, path string, form url.Values, header ...string) answer {
	p.f.t.Helper()
	var content io.Reader
	if form != nil {
		content = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, p.f.url+path, content)
	if err != nil {
		p.f.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := p.web.Do(r)
	if err != nil {
		p.f.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.f.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

func (p *person) get(path string, header ...string) answer { return p.ask("GET", path, nil, header...) }

func (p *person) post(path string, form url.Values, header ...string) answer {
	if form == nil {
		form = url.Values{}
	}
	return p.ask("POST", path, form, header...)
}

// page returns a page with status 200.
func (p *person) page(path string) string {
	p.f.t.Helper()
	a := p.get(path)
	if a.status != http.StatusOK {
		p.f.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	return a.body
}

// browser returns a real browser with a person's session, and without a page: opening the login page and the list would
// take most tests longer than the rest.
func (f *fixture) browser(secret string) *browsertest.Browser {
	f.t.Helper()
	b := browsertest.New(f.t)
	for _, c := range f.login(secret).web.Jar.Cookies(nil) {
		b.Run(network.SetCookie(c.Name, c.Value).WithURL(f.url).WithHTTPOnly(true).
			WithSameSite(network.CookieSameSiteStrict))
	}
	return b
}

// browserOnList returns a real browser that shows the list of events.
func (f *fixture) browserOnList(secret string) *browsertest.Browser {
	f.t.Helper()
	b := f.browser(secret)
	b.Open(f.url + "/")
	return b
}

// browserByPage returns a real browser that has logged in by the login page.
func (f *fixture) browserByPage(secret string) *browsertest.Browser {
	f.t.Helper()
	b := browsertest.New(f.t)
	b.Open(f.url + "/")
	b.Run(chromedp.SendKeys("#token", secret+"\r", chromedp.ByQuery))
	b.Await(`document.querySelector('header.top')`)
	// htmx reports a request that leaving the page aborts
	b.Await(`!document.querySelector('[hx-trigger=load]:has(p.hint)')`)
	return b
}

// assertClean fails the test if a page reported an error or sent a request to another host.
func (f *fixture) assertClean(b *browsertest.Browser) {
	f.t.Helper()
	for _, trouble := range b.Trouble() {
		f.t.Errorf("in the browser: %s", trouble)
	}
	for _, url := range b.Elsewhere(f.url) {
		f.t.Errorf("a page requested %s", url)
	}
}

func (f *fixture) insert(events ...event.Event) {
	f.t.Helper()
	if err := f.db.InsertEvents(background, "", events); err != nil {
		f.t.Fatal(err)
	}
}

// newEvent returns an event with a body, received some time ago.
func newEvent(body string, ago time.Duration) event.Event {
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-ago)
	return event.Event{
		Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "demo", Step: "paid",
			Verdict: event.Accepted, Method: "POST", Path: "/hooks/demo/***/paid",
			RemoteIP: netip.MustParseAddr("192.0.2.1"),
			Headers: []event.Header{{Name: "Content-Type", Value: "application/json"},
				{Name: "Authorization", Value: "Bearer secret"}},
			Body: []byte(body), BodySHA256: sha256.Sum256([]byte(body)), TraceID: [16]byte{1, 2,
				3}, SpanID: [8]byte{4}},
		Decoded: event.Decoded{Kind: event.KindFlow},
	}
}

// newLead returns an event about a subscriber.
func newLead(id, name string, ago time.Duration) event.Event {
	e := newEvent(fmt.Sprintf(`{"bothelp_user_id":%q,"name":%q,"created_at":1726940000}`, id, name), ago)
	e.BothelpUserID = id
	e.Name = name
	e.Channel = "telegram"
	e.UTMSource = "vk"
	e.ProfileLink = "https://t.me/anna_p"
	e.Fields = map[string]string{"Доп данные": "оплатила"}
	return e
}

// receiver is an endpoint that accepts every request, unless answer does otherwise.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies [][]byte
	got    map[string]int // by event id
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t *testing.T) *receiver {
	s := &receiver{got: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.bodies = append(s.bodies, body)
		s.got[r.Header.Get("X-Hooktape-Event-Id")]++
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		fmt.Fprint(w, `{"lead":"принят"}`)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *receiver) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// count returns the numbers of events and of requests.
func (s *receiver) count() (events, requests int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got), len(s.bodies)
}

// requests returns the number of requests with an event.
func (s *receiver) requests(id uuid.UUID) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got[id.String()]
}

// pages returns the address of each kind of page, about an event of a subscriber and a replay of it.
func pages(e event.Event, replayID uuid.UUID) []string {
	return []string{"/", "/?since=1h&verdict=accepted&chart=1", "/events/" + e.ID.String(),
		"/subscribers/" + url.PathEscape(e.BothelpUserID), "/replays?since=1h&endpoint=crm&mode=all", "/replays",
		"/replays/" + replayID.String() + "?compare=1", "/deliveries", "/endpoints", "/endpoints/crm?state=failed",
		"/sources", "/?rejected=true", "/analytics", "/audit-log", "/retention", "/storage"}
}

// replayOf creates a replay of the selected events and waits for its end.
func (f *fixture) replayOf(p *person, query string) uuid.UUID {
	f.t.Helper()
	a := p.post("/replays?"+query, url.Values{"key": {query}, "confirmed": {"1"}})
	id, err := uuid.Parse(strings.TrimPrefix(a.header.Get("Location"), "/replays/"))
	if err != nil {
		f.t.Fatalf("create a replay: %d %s", a.status, a.body)
	}
	f.awaitReplay(id)
	return id
}

// awaitReplay waits for the end of a replay.
func (f *fixture) awaitReplay(id uuid.UUID) {
	f.t.Helper()
	testutil.Eventually(f.t, func() error {
		r, err := f.db.Replay(background, id)
		if err == nil && !r.State.Final() {
			err = fmt.Errorf("state of the replay is %s: %v", r.State, r.Counts)
		}
		return err
	})
}
