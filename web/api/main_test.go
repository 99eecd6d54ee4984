package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
	"hooktape/web/api"
)

// TestMain ignores idle connections: clickhouse-go leaks one that it closes right after an error response.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

const (
	readSecret   = "the-secret-of-read-0123456789"
	replaySecret = "the-secret-of-replay-0123456789"
	otherSecret  = "the-secret-of-other-0123456789"
	adminSecret  = "the-secret-of-admin-0123456789"
)

// fixture is an API on a real engine, with a process that delivers.
type fixture struct {
	t        *testing.T
	db       *store.Store
	log      *testutil.Log
	server   *httptest.Server
	web      *http.Client // checks every answer against the document
	options  api.Options
	runner   *replay.Runner
	receiver *receiver // the endpoint crm
}

// newFixture starts an API on its own database.
func newFixture(t *testing.T) *fixture {
	t.Helper()
	return fixtureOn(t, storetest.DSN(t), false)
}

// fixtureOn starts an API on a database. allowPrivate permits replays to URLs of this machine.
func fixtureOn(t *testing.T, dsn string, allowPrivate bool) *fixture {
	t.Helper()
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	f := &fixture{t: t, db: db, log: &testutil.Log{}, receiver: newReceiver(t)}
	logger := slog.New(slog.NewTextHandler(f.log, nil))
	crm := replay.DefaultEndpoint("crm", f.receiver.URL+"/hooks?token=a-secret-of-crm")
	crm.AllowPrivate = true
	crm.Retry.Schedule, crm.Retry.MaxAttempts = []time.Duration{20 * time.Millisecond}, 2
	crm.Breaker.Failures = 0
	endpoints := []replay.Endpoint{crm, replay.DefaultEndpoint("elsewhere", "https://elsewhere.example.org/")}

	outcomes, err := openSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	recorder := replay.NewRecorder(outcomes, db, logger)
	f.runner = replay.NewRunner(replay.Options{AllowPrivate: allowPrivate}, endpoints, db, recorder, logger)
	stopRecorder, stopRunner := start(t, recorder.Run), start(t, f.runner.Run)
	t.Cleanup(func() { stopRunner(); stopRecorder(); outcomes.Close() })

	service := replay.NewService(db, func() []replay.Endpoint { return endpoints }, allowPrivate)
	f.options = api.Options{Direct: api.NewDirect(db, service, replay.Actor{}), Guard: api.PatientGuard(logger),
		Failing: f.runner.Failing, Version: "test", Logger: logger, Tokens: []api.Token{{Name: "reader",
			Secret: readSecret, Role: api.RoleRead}, {Name: "replayer", Secret: replaySecret, Role: api.RoleReplay},
			{Name: "other", Secret: otherSecret, Role: api.RoleReplay},
			{Name: "boss", Secret: adminSecret, Role: api.RoleAdmin}}}
	handler, err := api.New(f.options)
	if err != nil {
		t.Fatal(err)
	}
	f.server = httptest.NewServer(handler)
	t.Cleanup(f.server.Close)
	f.web = &http.Client{Transport: newChecker(t, handler)}
	t.Cleanup(f.assertNoSecret)
	return f
}

// assertNoSecret fails the test if the log contains a secret. It shows the log of a failed test.
func (f *fixture) assertNoSecret() {
	if f.t.Failed() {
		f.t.Logf("log:\n%s", f.log)
	}
	for _, secret := range []string{readSecret, replaySecret, otherSecret, adminSecret, "a-secret-of-crm"} {
		if strings.Contains(f.log.String(), secret) {
			f.t.Errorf("the log shows a secret:\n%s", f.log)
		}
	}
}

func openSpool(dir string) (*spool.Spool, error) {
	o := spool.DefaultOptions()
	o.MinFree, o.Logger = 0, slog.New(slog.DiscardHandler)
	return spool.Open(dir, o)
}

// start runs an actor. The returned function stops it and waits for it.
func start(t *testing.T, actor func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := actor(ctx); err != nil && !errors.Is(err, spool.ErrClosed) {
			t.Errorf("an actor ended: %v", err)
		}
	}()
	return func() { cancel(); <-done }
}

// answer is a response with its body.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem decodes the answer, which must be a problem.
func (a answer) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal(a.body, &p); err != nil || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("%d with an answer that is not a problem: %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	if p.Status != a.status || p.Title != http.StatusText(a.status) || p.Detail == "" {
		t.Errorf("status %d with the problem %+v", a.status, p)
	}
	return p
}

// ask sends a request. body is nil, a string, which is sent unchanged, or a value, which is sent as JSON.
func (f *fixture) ask(secret, method, path string, body any, header ...string) answer {
	f.t.Helper()
	var content io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			f.t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, f.server.URL+path, content)
	if err != nil {
		f.t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := f.web.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, text}
}

// get decodes the JSON of an answer with status 200.
func (f *fixture) get(secret, path string, out any) {
	f.t.Helper()
	a := f.ask(secret, "GET", path, nil)
	if a.status != http.StatusOK {
		f.t.Fatalf("GET %s: %d %s", path, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		f.t.Fatalf("GET %s: %v", path, err)
	}
}

func (f *fixture) client(secret string) *api.Client {
	f.t.Helper()
	c, err := api.NewClient(f.server.URL, secret)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	return c
}

func (f *fixture) insert(events ...event.Event) {
	f.t.Helper()
	if err := f.db.InsertEvents(context.Background(), "", events); err != nil {
		f.t.Fatal(err)
	}
}

// create creates a replay of a source's events to crm.
func (f *fixture) create(source string, change func(*replay.Request)) event.Replay {
	f.t.Helper()
	want := replay.Request{Selection: event.Selection{Sources: []string{source}}, To: "crm"}
	if change != nil {
		change(&want)
	}
	r, err := f.client(replaySecret).Create(context.Background(), "", want)
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// awaitState waits until a replay is in a state.
func (f *fixture) awaitState(id uuid.UUID, state event.ReplayState) (r event.Replay) {
	f.t.Helper()
	testutil.Eventually(f.t, func() error {
		r = event.Replay{}
		f.get(readSecret, "/api/v1/replays/"+id.String(), &r)
		if r.State != state {
			return fmt.Errorf("state of the replay is %s, want %s: %v", r.State, state, r.Counts)
		}
		return nil
	})
	return r
}

// awaitEnd waits until a replay is in a final state.
func (f *fixture) awaitEnd(id uuid.UUID) (r event.Replay) {
	f.t.Helper()
	testutil.Eventually(f.t, func() error {
		r = event.Replay{}
		f.get(readSecret, "/api/v1/replays/"+id.String(), &r)
		if !r.State.Final() {
			return fmt.Errorf("state of the replay is %s: %v", r.State, r.Counts)
		}
		return nil
	})
	return r
}

// newEvent returns event n of a source.
func newEvent(source string, n int) event.Event {
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour + time.Duration(n)*time.Millisecond)
	return event.Event{
		Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: source, Step: "paid",
			Verdict: event.Accepted, Method: "POST", Path: "/hooks/" + source +
				"/***", RemoteIP: netip.MustParseAddr("192.0.2.1"),
			Headers: []event.Header{{Name: "Content-Type", Value: "application/json"}},
			Body:    fmt.Appendf(nil, `{"bothelp_user_id":%d}`, n), TraceID: [16]byte{1, byte(n)}, SpanID: [8]byte{2,
				byte(n)}},
		Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint(n), Name: "Анна"},
	}
}

func newEvents(source string, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = newEvent(source, i)
	}
	return events
}

// receiver is an endpoint that accepts every request, unless answer does otherwise.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []*http.Request
	answer func(w http.ResponseWriter, r *http.Request)
}

func newReceiver(t *testing.T) *receiver {
	s := &receiver{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.got = append(s.got, r)
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		fmt.Fprint(w, "taken")
	}))
	t.Cleanup(s.Close)
	return s
}

// answers changes the answers of the receiver.
func (s *receiver) answers(answer func(w http.ResponseWriter, r *http.Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *receiver) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*http.Request(nil), s.got...)
}
