package replay

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

func newRecorder(t *testing.T) *Recorder {
	t.Helper()
	o := spool.DefaultOptions()
	o.MinFree, o.Logger = 0, slog.New(slog.DiscardHandler)
	s, err := spool.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return NewRecorder(s, nil, slog.New(slog.DiscardHandler))
}

func bareWorker(t *testing.T, recorder *Recorder, config workerConfig) *worker {
	t.Helper()
	target, err := newTarget(DefaultEndpoint("crm", "http://127.0.0.1:1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return newWorker(nil, sender{target: target, instruments: newInstruments(), recorder: recorder}, config,
		slog.New(slog.DiscardHandler))
}

func deliveryOf(id uuid.UUID, at time.Time) event.Delivery {
	return event.Delivery{DeliveryKey: event.DeliveryKey{EventID: id}, EventReceivedAt: at}
}

// TestAFailedRecordEndsTheWorker verifies that a failed record ends the worker, whatever the result of other attempts.
// Otherwise the delivery would stay in memory forever.
func TestAFailedRecordEndsTheWorker(t *testing.T) {
	t.Parallel()
	w := bareWorker(t, newRecorder(t), workerConfig{concurrency: 2})
	// no reading and loading, because there is no store
	w.reading = true
	w.loading = true
	w.inFlight = 2
	a := &item{Delivery: deliveryOf(uuid.New(), time.Now())}
	b := &item{Delivery: deliveryOf(uuid.New(), time.Now())}
	w.ready.inMemory[a.EventID], w.ready.inMemory[b.EventID] = true, true
	ended := make(chan struct{})
	go func() { w.run(t.Context()); close(ended) }()
	w.updates <- func() { w.finish(a, result{delivery: a.Delivery, err: errors.New("spool: full")}) }
	delivered := b.Delivery
	delivered.State = event.Delivered
	w.updates <- func() { w.finish(b, result{delivery: delivered}) }
	select {
	case <-ended:
		if w.failed == nil {
			t.Error("the worker ended without the error")
		}
	case <-time.After(testutil.Patience):
		t.Error("the worker did not end")
	}
}

// TestRetryAfterBeforeTheRecord verifies that a Retry-After holds from the moment of the answer, even if the disk does
// not take the outcome.
func TestRetryAfterBeforeTheRecord(t *testing.T) {
	t.Parallel()
	recorder := newRecorder(t)
	w := bareWorker(t, recorder, workerConfig{})
	busy := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		recorder.spool.Close()
		answer.Header().Set("Retry-After", "60")
		answer.WriteHeader(http.StatusTooManyRequests)
	}))
	defer busy.Close()
	crm := DefaultEndpoint("crm", busy.URL)
	crm.AllowPrivate = true
	var err error
	if w.sender.target, err = newTarget(crm, nil); err != nil {
		t.Fatal(err)
	}
	d := deliveryOf(uuid.New(), time.Now())
	sent := &event.Event{Received: event.Received{BodySHA256: event.EmptyHash}}
	r := w.attempt(t.Context(), &item{Delivery: d, event: sent}, outbound.Admission{})
	if r.err == nil {
		t.Fatalf("the outcome was recorded: %+v", r)
	}
	if _, wait := w.sender.Admit(time.Now()); wait == 0 {
		t.Error("another attempt may be made during a Retry-After")
	}
}

// TestUnreadEventsAreNotGone verifies that an event missing from a full page is not taken for deleted. ClickHouse
// orders ids differently, so the page may have omitted any event of its last moment.
func TestUnreadEventsAreNotGone(t *testing.T) {
	at := time.Now().UTC().Truncate(time.Microsecond)
	first := uuid.MustParse("01a204fa-08f1-7fff-8000-000000000000")
	second := uuid.MustParse("01a204fa-08f1-7000-8fff-000000000000")
	q := newReadyQueue(event.OrderNone, queueLimits{})
	x := &item{Delivery: deliveryOf(first, at)}
	y := &item{Delivery: deliveryOf(second, at)}
	q.attach([]*item{x, y},
		[]event.Event{{Received: event.Received{ID: first, ReceivedAt: at, Body: make([]byte, payloadBytes)}}})
	if x.event == nil || y.gone {
		t.Errorf("first loaded: %v; second taken for deleted: %v", x.event != nil, y.gone)
	}
}

// TestEventsAreLoadedInBatches verifies that events are not loaded one by one: a query for one event reads as much as a
// query for thousands.
func TestEventsAreLoadedInBatches(t *testing.T) {
	now := time.Now()
	q := newReadyQueue(event.OrderNone, queueLimits{page: 400, few: 1, retries: 1000})
	var found []event.Delivery
	for range 400 {
		found = append(found, deliveryOf(uuid.New(), now))
	}
	q.take(q.nextPage(), found, now)
	loads := 0
	for sent := range found {
		asked := q.unloaded(100)
		if len(asked) > 0 {
			loads++
		}
		for _, it := range asked {
			it.event = &event.Event{}
		}
		it := q.peek(now, func(*item) bool { return true })
		if it == nil {
			t.Fatalf("nothing was loaded after %d events", sent)
		}
		q.pop(it)
	}
	if loads > 9 {
		t.Errorf("%d loads for %d events", loads, len(found))
	}
}

// TestAPacedReplayWakesForRetries verifies that the worker of a paced replay wakes up for a retry before the next
// event.
func TestAPacedReplayWakesForRetries(t *testing.T) {
	w := bareWorker(t, nil, workerConfig{concurrency: 2, pace: 1})
	now := time.Now()
	w.pacer.due(now.Add(-time.Hour), now) // the first event was sent now
	retried := deliveryOf(uuid.New(), now.Add(-time.Hour))
	next := deliveryOf(uuid.New(), now.Add(-10*time.Minute))
	retried.State, retried.NextAt = event.Retrying, now.Add(5*time.Second)
	w.ready.take(w.ready.nextPage(), []event.Delivery{retried, next}, now)
	w.ready.attachAll()
	if wait := w.send(context.Background(), now); wait > 6*time.Second {
		t.Errorf("the worker sleeps %v while a retry is due in 5 s", wait)
	}
}
