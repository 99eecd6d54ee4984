package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hooktape/event"
	"hooktape/internal/enginetest"
	"hooktape/replay"
	"hooktape/replay/api"
	"hooktape/spool"
	"hooktape/store"
)

// TestMain lets go of idle connections: clickhouse-go forgets one that it closes right after an error response.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

var background = context.Background()

// The tokens of the tests, one a role.
const (
	reader = "reader-token-0123456789"
	sender = "sender-token-0123456789"
	admin  = "admin-token-0123456789"
)

// server is the API on a real socket and a real engine, with a process that delivers behind it.
type server struct {
	t   *testing.T
	db  *store.Store
	url string
	log *bytes.Buffer
}

func start(t *testing.T, endpoints ...replay.Endpoint) *server {
	t.Helper()
	db, err := store.Open(enginetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.Migrate(background); err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	options := spool.DefaultOptions()
	options.MinFree, options.Logger = 0, quiet
	outcomes, err := spool.Open(t.TempDir(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { outcomes.Close() })
	recorder := replay.NewRecorder(outcomes, db, quiet)
	runner := replay.NewRunner(replay.Options{AllowPrivate: true}, endpoints, db, recorder, quiet)
	run(t, recorder.Run)
	run(t, runner.Run)

	s := &server{t: t, db: db, log: &bytes.Buffer{}}
	service := replay.NewService(db, func() []replay.Endpoint { return endpoints }, true)
	handler, err := api.New(api.Options{Store: db, Service: service, Failing: runner.Failing, Version: "test", Logger: slog.New(slog.NewTextHandler(s.log, nil)),
		Tokens: []api.Token{{Name: "rita", Secret: reader, Role: api.RoleRead}, {Name: "sam", Secret: sender, Role: api.RoleReplay}, {Name: "ada", Secret: admin, Role: api.RoleAdmin}}})
	if err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(handler)
	t.Cleanup(listening.Close)
	s.url = listening.URL
	return s
}

// run runs an actor until the test ends.
func run(t *testing.T, actor func(context.Context) error) {
	ctx, cancel := context.WithCancel(background)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = actor(ctx)
	}()
	t.Cleanup(func() { cancel(); <-done })
}

// insert stores n events of the source demo, one microsecond and one event in two apart.
func (s *server) insert(n int) []event.Event {
	s.t.Helper()
	base := time.Now().UTC().Truncate(time.Second).Add(-time.Hour)
	events := make([]event.Event, n)
	for i := range events {
		at := base.Add(time.Duration(i/2) * time.Microsecond)
		events[i] = event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "demo", Step: "start", Verdict: event.Accepted, Method: "POST",
			Path: "/hooks/demo/***/start", RemoteIP: netip.MustParseAddr("192.0.2.1"), Headers: []event.Header{{Name: "Content-Type", Value: "application/json"}},
			Body: fmt.Appendf(nil, "{\"bothelp_user_id\":%d,\"name\":\"Анна <script>\"}\xff", i)},
			Decoded: event.Decoded{Kind: event.KindFlow, BothelpUserID: fmt.Sprint(i), Name: "Анна <script>"}}
	}
	if err := s.db.InsertEvents(background, "", events); err != nil {
		s.t.Fatal(err)
	}
	return events
}

// call makes a request with a token and returns the status, the header and the body.
func (s *server) call(token, method, path, body string, header ...string) (int, http.Header, []byte) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, response.Header, text
}

// read calls, wants a status, and reads the answer into out.
func (s *server) read(out any, status int, token, method, path, body string, header ...string) http.Header {
	s.t.Helper()
	got, head, text := s.call(token, method, path, body, header...)
	if got != status {
		s.t.Fatalf("%s %s answers %d, want %d: %s", method, path, got, status, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return head
}
