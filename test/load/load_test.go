package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"hooktape/internal/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hook answers like a hook: 200 with an id, but every tenth request with 503, and every hundredth not at all.
type hook struct {
	mu    sync.Mutex
	acked map[uuid.UUID]string // event id to body
	count int
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	switch {
	case h.count%100 == 0:
		panic(http.ErrAbortHandler)
	case h.count%10 == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		id := uuid.New()
		h.acked[id] = string(body)
		fmt.Fprintf(w, `{"id":%q}`, id)
	}
}

func TestLedger(t *testing.T) {
	h := &hook{acked: map[uuid.UUID]string{}}
	server := httptest.NewServer(h)
	defer server.Close()
	source := simulate.NewWebhooks(1)
	run := Start(t.Context(), Options{Addr: strings.TrimPrefix(server.URL, "http://"), Source: "demo", Token: "secret",
		Bodies: source, First: 50, Requests: 1000, Connections: 4})
	l := run.Wait()
	if l.Sent != 1000 || len(l.Acks) != 900 || l.Refused[503] != 90 || l.Broken != 10 || l.Unsent != 0 {
		t.Errorf("sent %d, acknowledged %d, refused %v, broken %d, unsent %d", l.Sent, len(l.Acks), l.Refused, l.Broken,
			l.Unsent)
	}
	for _, ack := range l.Acks {
		if h.acked[ack.ID] != string(source.Append(nil, ack.Number)) {
			t.Fatalf("the server received another body for id %s than number %d", ack.ID, ack.Number)
		}
	}
	if got := run.Counts(); got != (Counts{Sent: 1000, Acked: 900, Refused: 90}) {
		t.Errorf("counts are %+v", got)
	}
	if p50, p99, most := l.Percentile(50), l.Percentile(99), l.Percentile(100); p50 <= 0 || p50 > p99 || p99 > most {
		t.Errorf("percentiles %v, %v, %v", p50, p99, most)
	}
}

// TestAnswersWithoutID verifies that a whole answer of an endpoint, which has no id, counts as acknowledged, and that one
// which breaks off does not.
func TestAnswersWithoutID(t *testing.T) {
	for body, want := range map[string]Ledger{"": {Acks: make([]Ack, 5)}, "<p>1990</p>": {Acks: make([]Ack, 5)},
		`{"price":1990}`: {Acks: make([]Ack, 5)}, "cut off": {Broken: 5}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if want.Broken > 0 {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)+1))
			}
			_, _ = io.WriteString(w, body)
		}))
		l := Start(t.Context(), Options{Addr: strings.TrimPrefix(server.URL, "http://"), Source: "demo", Token: "secret",
			Bodies: simulate.NewWebhooks(1), Requests: 5, Connections: 1}).Wait()
		server.Close()
		if l.Sent != 5 || len(l.Acks) != len(want.Acks) || l.Broken != want.Broken || len(l.Refused) > 0 {
			t.Errorf("%q: acknowledged %d, broken %d, refused %v", body, len(l.Acks), l.Broken, l.Refused)
		}
		for _, ack := range l.Acks {
			if ack.ID != uuid.Nil {
				t.Errorf("%q: an id %s", body, ack.ID)
			}
		}
	}
}

// TestOpenLoopCountsTheWait verifies that the latency includes the delay of requests sent late when the server is
// slower than the rate.
func TestOpenLoopCountsTheWait(t *testing.T) {
	const pause = 20 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-time.After(pause)
		fmt.Fprintf(w, `{"id":%q}`, uuid.New())
	}))
	defer server.Close()
	l := Start(t.Context(), Options{Addr: strings.TrimPrefix(server.URL, "http://"), Source: "demo", Token: "secret",
		Bodies: simulate.NewWebhooks(1), Requests: 20, Connections: 1, Rate: 1000}).Wait()
	if most := l.Percentile(100); most < 15*pause {
		t.Errorf("latency of the last of 20 requests is only %v", most)
	}
}

func TestNoListener(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	l := Start(ctx, Options{Addr: "127.0.0.1:1", Bodies: simulate.NewWebhooks(1), Connections: 2}).Wait()
	if l.Sent != 0 || l.Unsent == 0 {
		t.Errorf("sent %d, unsent %d", l.Sent, l.Unsent)
	}
}
