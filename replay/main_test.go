package replay_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
)

// TestMain closes idle connections: clickhouse-go leaks one that it closes right after an error response.
func TestMain(m *testing.M) {
	otel.SetTracerProvider(sdktrace.NewTracerProvider())
	otel.SetTextMapPropagator(propagation.TraceContext{})
	if settings := os.Getenv(childEnv); settings != "" {
		if err := runChild(settings); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// childEnv makes the test binary a process that only delivers, for a test to kill.
const childEnv = "REPLAY_TEST_CHILD"

type childSettings struct{ DSN, Dir string }

func runChild(settings string) error {
	var c childSettings
	if err := json.Unmarshal([]byte(settings), &c); err != nil {
		return err
	}
	db, err := store.Open(c.DSN)
	if err != nil {
		return err
	}
	s, err := openSpool(c.Dir)
	if err != nil {
		return err
	}
	recorder := replay.NewRecorder(s, db, slog.New(slog.DiscardHandler))
	go recorder.Run(context.Background())
	runner := replay.NewRunner(replay.Options{AllowPrivate: true}, nil, db, recorder, slog.New(slog.DiscardHandler))
	return runner.Run(context.Background())
}

func openSpool(dir string) (*spool.Spool, error) {
	o := spool.DefaultOptions()
	o.MinFree, o.Logger = 0, slog.New(slog.DiscardHandler)
	return spool.Open(dir, o)
}

// openStore opens a database with all tables.
func openStore(t *testing.T, dsn string) *store.Store {
	t.Helper()
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func newStore(t *testing.T) *store.Store {
	t.Helper()
	db, _ := storetest.Open(t)
	return db
}

// sender has the parts of a delivering process.
type sender struct {
	t        *testing.T
	log      *testutil.Log
	runner   *replay.Runner
	recorder *replay.Recorder
	spool    *spool.Spool

	stopRunner, stopRecorder func()
}

// newSender creates the parts of a sender without running them.
func newSender(t *testing.T, db *store.Store, dir string, o replay.Options, endpoints ...replay.Endpoint) *sender {
	t.Helper()
	s := &sender{t: t, log: &testutil.Log{}, stopRunner: func() {}, stopRecorder: func() {}}
	var err error
	if s.spool, err = openSpool(dir); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(s.log, nil))
	s.recorder = replay.NewRecorder(s.spool, db, logger)
	s.runner = replay.NewRunner(o, endpoints, db, s.recorder, logger)
	t.Cleanup(s.stop)
	return s
}

func startSender(t *testing.T, db *store.Store, dir string, o replay.Options, endpoints ...replay.Endpoint) *sender {
	t.Helper()
	s := newSender(t, db, dir, o, endpoints...)
	s.startRecorder()
	s.startRunner()
	return s
}

func (s *sender) startRunner()   { s.stopRunner = s.start(s.runner.Run) }
func (s *sender) startRecorder() { s.stopRecorder = s.start(s.recorder.Run) }

// start runs an actor. The returned function stops it and waits for its end.
func (s *sender) start(actor func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := actor(ctx); err != nil && !errors.Is(err, spool.ErrClosed) {
			s.t.Errorf("an actor ended: %v", err)
		}
	}()
	return func() { cancel(); <-done }
}

// stop stops all parts in order.
func (s *sender) stop() {
	s.stopRunner()
	s.stopRecorder()
	s.spool.Close()
}

// newEvent returns event n of a source.
func newEvent(source string, n int) event.Event {
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Minute + time.Duration(n)*time.Millisecond)
	return event.Event{
		Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: source, Verdict: event.Accepted,
			Method: "POST", Path: "/hooks/" + source + "/***", RemoteIP: netip.MustParseAddr("192.0.2.1"),
			Headers: []event.Header{{Name: "Content-Type", Value: "application/ json"}},
			Body:    fmt.Appendf(nil, `{"bothelp_user_id":%d}`, n), TraceID: [16]byte{1, byte(n)}, SpanID: [8]byte{2,
				byte(n)}},
		Decoded: event.Decoded{Kind: event.KindFlow},
	}
}

func newEvents(source string, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		events[i] = newEvent(source, i)
	}
	return events
}

// insert stores events with a spool of their own.
func insert(t *testing.T, db *store.Store, events ...event.Event) {
	t.Helper()
	insertAs(t, db, rand.Text(), 1, events...)
}

// insertAs stores events of a spool, with the numbers from first on.
func insertAs(t *testing.T, db *store.Store, spool string, first uint64, events ...event.Event) {
	t.Helper()
	events = slices.Clone(events)
	for i := range events {
		events[i].Spool, events[i].SpoolNumber = spool, first+uint64(i)
	}
	if err := db.InsertEvents(context.Background(), "", events); err != nil {
		t.Fatal(err)
	}
}

// startReplay creates a running replay of all events of a source, as the command line does.
func startReplay(t *testing.T, db *store.Store, source, url string, change func(*event.Replay)) event.Replay {
	t.Helper()
	now := time.Now()
	r := event.Replay{ID: uuid.Must(uuid.NewV7()), CreatedAt: now, UpdatedAt: now, State: event.ReplayRunning,
		Endpoint: url, URL: url, Selection: event.Selection{Sources: []string{source}},
		ReplayOptions: event.ReplayOptions{Concurrency: 1, MaxAttempts: 1}}
	if change != nil {
		change(&r)
	}
	var err error
	if r.Total, err = db.FreezeReplay(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if err := db.SaveReplay(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// steer gives a command to a replay (by its id) or an endpoint.
func steer(t *testing.T, db *store.Store, target string, action event.Action) {
	t.Helper()
	if err := db.AddCommand(context.Background(), event.Command{Target: target, Action: action,
		By: "test"}); err != nil {
		t.Fatal(err)
	}
}

// awaitDone waits for the end of a replay.
func awaitDone(t *testing.T, db *store.Store, id uuid.UUID) {
	t.Helper()
	testutil.Eventually(t, func() error {
		r, err := db.Replay(context.Background(), id)
		if err == nil && r.State != event.ReplayCompleted && r.State != event.ReplayFailures {
			err = fmt.Errorf("the replay is %s: %v", r.State, r.Counts)
		}
		return err
	})
}

func awaitState(t *testing.T, db *store.Store, id uuid.UUID, state event.ReplayState) (r event.Replay) {
	t.Helper()
	testutil.Eventually(t, func() (err error) {
		r, err = db.Replay(context.Background(), id)
		if err == nil && r.State != state {
			counts, _ := db.CountDeliveries(context.Background(), id)
			err = fmt.Errorf("the replay is %s (%s): %v", r.State, r.Reason, counts)
		}
		return err
	})
	return r
}

// receipt is one request at an endpoint.
type receipt struct {
	id, attempt string
	header      http.Header
	at          time.Time
}

// receiver is an endpoint that records its requests.
type receiver struct {
	URL string

	mu       sync.Mutex
	receipts []receipt
}

// startReceiver starts a receiver that answers 200.
func startReceiver(t *testing.T) *receiver {
	t.Helper()
	got := &receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.note(r) }))
	t.Cleanup(server.Close)
	got.URL = server.URL
	return got
}

func (r *receiver) note(req *http.Request) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.receipts = append(r.receipts, receipt{req.Header.Get("X-Hooktape-Event-Id"), req.Header.Get("X-Hooktape-Attempt"),
		req.Header.Clone(), time.Now()})
	return len(r.receipts)
}

func (r *receiver) all() []receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]receipt(nil), r.receipts...)
}

func (r *receiver) countByID() map[string]int {
	counts := map[string]int{}
	for _, got := range r.all() {
		counts[got.id]++
	}
	return counts
}

func deliveryOf(t *testing.T, db *store.Store, id uuid.UUID) event.Delivery {
	t.Helper()
	list, err := db.DeliveriesOf(context.Background(), id)
	if err != nil || len(list) != 1 {
		t.Fatalf("deliveries of %s: %+v, %v", id, list, err)
	}
	return list[0]
}

func attemptsOf(t *testing.T, db *store.Store, id uuid.UUID) []event.Attempt {
	t.Helper()
	list, err := db.AttemptsOf(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func outcomes(attempts []event.Attempt) string {
	var words []string
	for _, a := range attempts {
		words = append(words, fmt.Sprintf("%d:%s", a.Number, a.Outcome))
	}
	return strings.Join(words, " ")
}

// awaitStateWritten waits until the runner has written an endpoint's state.
func awaitStateWritten(t *testing.T, db *store.Store, endpoint string) {
	t.Helper()
	begun := time.Now()
	testutil.Eventually(t, func() error {
		states, err := db.EndpointStates(context.Background())
		for _, s := range states {
			if s.Endpoint == endpoint && s.UpdatedAt.After(begun) {
				return nil
			}
		}
		return fmt.Errorf("%+v, %v", states, err)
	})
}
