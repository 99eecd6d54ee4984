package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/web/api"
)

// receiver is an endpoint that records its requests.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  map[string]*http.Request // by event id
	body map[string]string
}

func newReceiver(t *testing.T) *receiver {
	s := &receiver{got: map[string]*http.Request{}, body: map[string]string{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		id := r.Header.Get("X-Hooktape-Event-Id")
		s.mu.Lock()
		defer s.mu.Unlock()
		s.got[id], s.body[id] = r, string(body)
		fmt.Fprint(w, "taken")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *receiver) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// TestEndToEnd follows a newcomer's first steps with the real programs.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "")
	i.startReady("serve") // spans from before the tables exist are lost
	url := i.hookURL()
	token := url[strings.LastIndex(url, "/")+1:]

	fixtures, err := filepath.Glob("testdata/hooks/*.json")
	if err != nil || len(fixtures) != 3 {
		t.Fatalf("fixtures: %v, %v", fixtures, err)
	}
	sent := map[uuid.UUID][]byte{}
	for _, name := range fixtures {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sent[uuid.MustParse(i.post(url+"/start?lang=ru", body))] = body
	}
	for id, body := range sent {
		assertStored(i, id, body, token)
	}

	target := newReceiver(t)
	plan := i.cli("replay", "create", "--source", "demo", "--since", "1h", "--to", target.URL+"/crm", "--dry-run")
	if !strings.Contains(plan, "3 events would go to") {
		t.Errorf("the dry run printed\n%s", plan)
	}
	if target.count() != 0 {
		t.Error("the dry run sent a request")
	}
	done := i.cli("replay", "create", "--source", "demo", "--since", "1h", "--to", target.URL+"/crm")
	if !strings.Contains(done, "3 events: 3 delivered") {
		t.Errorf("the replay printed\n%s", done)
	}
	for id, body := range sent {
		assertDelivered(i, target, id, body)
	}

	i.stop()
	i.start("serve")
	i.eventually("the engine answers again", func() error { return i.db.Ping(context.Background()) })
	var listed []api.Event
	if err := json.Unmarshal([]byte(i.cli("events", "list", "--json")), &listed); err != nil ||
		len(listed) != len(sent) {
		t.Errorf("%d events after the second start, want %d, %v", len(listed), len(sent), err)
	}
	assertEngineRestarts(i, url)
	assertNoSecret(t, i, token)
	i.stop()
}

func assertStored(i *instance, id uuid.UUID, body []byte, token string) {
	i.t.Helper()
	var e *event.Event
	i.eventually("the event is stored", func() (err error) {
		e, err = i.db.Event(context.Background(), id)
		return err
	})
	if string(e.Body) != string(body) {
		i.t.Errorf("stored body:\n%q\nsent:\n%q", e.Body, body)
	}
	if e.Verdict != event.Accepted || e.Source != "demo" || e.Step != "start" || e.Query != "lang=ru" ||
		e.Method != "POST" {
		i.t.Errorf("stored as %+v", e.Received)
	}
	if strings.Contains(e.Path, token) || e.Path != "/hooks/demo/***/start" {
		i.t.Errorf("path is %q", e.Path)
	}
	if e.BothelpUserID == "" {
		i.t.Errorf("not decoded: %+v", e.Decoded)
	}
	i.eventually("the trace is stored", func() error {
		spans, err := i.db.Spans(context.Background(), hex.EncodeToString(e.TraceID[:]), e.ReceivedAt)
		if err == nil && (len(spans) != 1 || spans[0].Kind != "Server" ||
			spans[0].ID != hex.EncodeToString(e.SpanID[:])) {
			err = fmt.Errorf("spans: %+v", spans)
		}
		return err
	})
	if shown := i.cli("events", "show", id.String()); !strings.Contains(shown, string(body)) ||
		strings.Contains(shown, token) {
		i.t.Errorf("events show printed\n%s", shown)
	}
}

func assertDelivered(i *instance, target *receiver, id uuid.UUID, body []byte) {
	i.t.Helper()
	target.mu.Lock()
	defer target.mu.Unlock()
	r := target.got[id.String()]
	if r == nil {
		i.t.Fatalf("event %s did not reach the endpoint", id)
	}
	if target.body[id.String()] != string(body) {
		i.t.Errorf("delivered body:\n%q\nsent:\n%q", target.body[id.String()], body)
	}
	e, err := i.db.Event(context.Background(), id)
	if err != nil {
		i.t.Fatal(err)
	}
	deliveries, err := i.db.DeliveriesOf(context.Background(), id)
	if err != nil || len(deliveries) != 1 {
		i.t.Fatalf("deliveries: %v, %v", deliveries, err)
	}
	attempts, err := i.db.AttemptsOf(context.Background(), id)
	if err != nil || len(attempts) != 1 {
		i.t.Fatalf("attempts: %v, %v", attempts, err)
	}
	d, a := deliveries[0], attempts[0]
	for name, want := range map[string]string{
		"Content-Type":           "application/ json",
		"X-Hooktape-Event-Id":    id.String(),
		"X-Hooktape-Replay-Id":   d.ReplayID.String(),
		"X-Hooktape-Attempt":     "1",
		"X-Hooktape-Received-At": e.ReceivedAt.Format(time.RFC3339Nano),
		"Idempotency-Key":        d.IdempotencyKey(),
		"Content-Length":         strconv.Itoa(len(body)),
	} {
		if got := r.Header.Get(name); got != want && name != "Content-Length" {
			i.t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(r.Header.Get("Traceparent"), "00-"+hex.EncodeToString(a.TraceID[:])) ||
		a.TraceID == e.TraceID {
		i.t.Errorf("traceparent %q, trace of the attempt %x, trace of the event %x", r.Header.Get("Traceparent"),
			a.TraceID, e.TraceID)
	}
	if d.State != event.Delivered || d.Attempts != 1 || a.Outcome != event.OutcomeDelivered || a.StatusCode != 200 ||
		string(a.ResponseBody) != "taken" || a.ReplayID != d.ReplayID || a.Number != 1 {
		i.t.Errorf("delivery %+v\nattempt %+v", d, a)
	}
	i.eventually("the delivery's span links to the event's trace", func() error {
		spans, err := i.db.Spans(context.Background(), hex.EncodeToString(a.TraceID[:]), a.StartedAt)
		if err != nil {
			return err
		}
		for _, s := range spans {
			for _, link := range s.Links {
				if link == hex.EncodeToString(e.TraceID[:]) {
					return nil
				}
			}
		}
		return fmt.Errorf("spans: %+v", spans)
	})
}

// assertNoSecret searches for the hook token in everything that the program printed and stored.
func assertNoSecret(t *testing.T, i *instance, token string) {
	t.Helper()
	for line := range strings.Lines(i.output.String()) {
		if strings.Contains(line, token) {
			t.Errorf("the log shows the token: %s", line)
		}
	}
	for _, table := range []string{"events", "attempts", "deliveries", "replays", "otel_traces"} {
		if n := i.query(fmt.Sprintf("SELECT countIf(position(formatRow('JSONEachRow', *), '%s') > 0), count() > 0 "+
			"FROM %s", token, table)); n != "0\t1\n" {
			t.Errorf("rows of %s with the token, and whether it has rows: %s", table, n)
		}
	}
}

// TestKillBetweenAnswerAndDrain verifies that events acknowledged while ClickHouse was away, by a process that was
// killed right afterwards, are stored once after the next start.
func TestKillBetweenAnswerAndDrain(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	i := newInstance(t, engine.DSN("hooktape"))
	writeConfig(t, i)
	engine.Kill()
	i.start("ingest")
	url := i.hookURL()
	var ids []uuid.UUID
	for n := range 50 {
		ids = append(ids, uuid.MustParse(i.post(url, fmt.Appendf(nil, `{"bothelp_user_id":%d}`, n))))
	}
	i.kill()
	engine.Restart()
	i.start("ingest")
	i.eventually("all events are stored", func() error {
		events, err := i.db.ListEvents(context.Background(), event.Selection{}, store.Page{Limit: 1000})
		if err != nil {
			return err
		}
		if len(events) != len(ids) {
			return fmt.Errorf("%d events stored, want %d", len(events), len(ids))
		}
		return nil
	})
	stored, err := i.db.StoredEvents(context.Background(), ids)
	if err != nil || len(stored) != len(ids) {
		t.Errorf("%d of %d acknowledged events stored, %v", len(stored), len(ids), err)
	}
	i.stop()
}

// assertEngineRestarts kills the embedded engine and verifies that it is restarted within 5 s, that the log says so,
// and that no webhook is rejected meanwhile.
func assertEngineRestarts(i *instance, hook string) {
	i.t.Helper()
	engine, err := exec.Command("pgrep", "-P", strconv.Itoa(i.command.Process.Pid), "embedded").Output()
	if err != nil {
		i.t.Fatalf("the engine's process: %v", err)
	}
	if out, err := exec.Command("kill", "-9", strings.TrimSpace(string(engine))).CombinedOutput(); err != nil {
		i.t.Fatalf("kill: %v %s", err, out)
	}
	id := uuid.MustParse(i.post(hook, []byte(`{"bothelp_user_id":2}`)))
	i.eventually("the event is stored", func() error {
		_, err := i.db.Event(context.Background(), id)
		return err
	})
	if said := i.output.String(); !strings.Contains(said, "has ended; it is started again") ||
		!strings.Contains(said, "is back") {
		i.t.Errorf("the log does not mention the restart:\n%s", said)
	}
}

// writeConfig writes the first configuration for an instance that does not run serve.
func writeConfig(t *testing.T, i *instance) {
	t.Helper()
	if _, err := config.EnsureFile(filepath.Join(i.dir, "hooktape.yaml")); err != nil {
		t.Fatal(err)
	}
}
