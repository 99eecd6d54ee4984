package replay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/replay"
)

// endpointAt returns an endpoint on this machine with short retry delays.
func endpointAt(name, url string, change func(*replay.Endpoint)) replay.Endpoint {
	e := replay.DefaultEndpoint(name, url)
	e.AllowPrivate, e.Subscribe = true, &replay.Subscription{}
	e.Retry.Schedule = []time.Duration{20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond}
	e.Retry.MaxAttempts = 20
	if change != nil {
		change(&e)
	}
	return e
}

// awaitPoller waits until an endpoint gets the events stored from now on.
func awaitPoller(t *testing.T, db *store.Store, endpoint string) {
	t.Helper()
	testutil.Eventually(t, func() error {
		states, err := db.EndpointStates(context.Background())
		if err != nil {
			return err
		}
		for _, s := range states {
			if s.Endpoint == endpoint && !s.FollowedSince.IsZero() {
				return nil
			}
		}
		return fmt.Errorf("%s has no poller: %+v", endpoint, states)
	})
}

// awaitDelivered waits until every event is delivered.
func awaitDelivered(t *testing.T, db *store.Store, events []event.Event) {
	t.Helper()
	testutil.Eventually(t, func() error {
		counts, err := db.CountDeliveries(context.Background(), uuid.Nil)
		if err == nil && counts[event.Delivered] != uint64(len(events)) {
			err = fmt.Errorf("of %d: %v", len(events), counts)
		}
		return err
	})
}

// ofSubscribers assigns events to people, in turn.
func ofSubscribers(events []event.Event, people int) []event.Event {
	for i := range events {
		events[i].BothelpUserID = fmt.Sprint("person ", i%people)
	}
	return events
}

func TestLiveDelivery(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	insert(t, db, newEvents("old", 5)...)
	dir := t.TempDir()
	crm := endpointAt("crm", got.URL, func(e *replay.Endpoint) { e.Subscribe.Sources = []string{"demo"} })
	s := startSender(t, db, dir, replay.Options{}, crm)
	awaitPoller(t, db, "crm")
	first := newEvents("demo", 30)
	insert(t, db, newEvents("other", 3)...)
	insert(t, db, first[20:]...) // later events are stored first
	insert(t, db, first[:20]...)
	insert(t, db, first[5]) // stored twice
	awaitDelivered(t, db, first)
	s.stop()

	second := newEvents("demo", 40)[30:]
	insert(t, db, second...) // while no process delivers
	startSender(t, db, dir, replay.Options{}, crm)
	all := append(first, second...)
	awaitDelivered(t, db, all)
	assertEachOnce(t, all, got)
	for _, r := range got.all() {
		if r.header.Get("X-Hooktape-Replay-Id") != "" {
			t.Error("a live delivery has a replay's id")
		}
	}
}

// TestOrderOfASubscriber verifies that an endpoint that fails every third request still gets each person's events in
// order.
func TestOrderOfASubscriber(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	var got receiver
	var requests atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1)%3 == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got.note(r)
	}))
	defer endpoint.Close()
	crm := endpointAt("crm", endpoint.URL, func(e *replay.Endpoint) {
		e.Order, e.Concurrency = event.OrderSubscriber, 8
	})
	dir := t.TempDir()
	s := startSender(t, db, dir, replay.Options{}, crm)
	awaitPoller(t, db, "crm")
	events := ofSubscribers(newEvents("demo", 120), 7)
	insert(t, db, events[:60]...)
	testutil.Eventually(t, func() error {
		if n := len(got.all()); n < 30 {
			return fmt.Errorf("%d requests", n)
		}
		return nil
	})
	s.stop()
	insert(t, db, events[60:]...)
	startSender(t, db, dir, replay.Options{}, crm)
	awaitDelivered(t, db, events)
	assertEachOnce(t, events, &got)
	assertInOrder(t, events, 7, &got)
}

// assertInOrder verifies that each person's events arrived in order. Event n belongs to person n%people.
func assertInOrder(t *testing.T, events []event.Event, people int, got *receiver) {
	t.Helper()
	place := map[string]int{}
	for i, e := range events {
		place[e.ID.String()] = i
	}
	last := map[int]int{}
	for _, r := range got.all() {
		n := place[r.id]
		if before, ok := last[n%people]; ok && before > n {
			t.Errorf("event %d of person %d arrived after %d", n, n%people, before)
		}
		last[n%people] = n
	}
}

// TestOrderOverASetBackClock verifies that events waiting in ClickHouse are sent in the order of their spool, although
// the clock was set back between them: by the same process, by another process, and in a replay.
func TestOrderOverASetBackClock(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	var live, replayed receiver
	var works atomic.Bool
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !works.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Header.Get("X-Hooktape-Replay-Id") != "":
			replayed.note(r)
		default:
			live.note(r)
		}
	}))
	defer endpoint.Close()
	crm := endpointAt("crm", endpoint.URL, func(e *replay.Endpoint) {
		e.Order, e.Concurrency, e.Breaker.Failures = event.OrderSubscriber, 8, 0
		e.Retry.Schedule, e.Retry.MaxAttempts = []time.Duration{50 * time.Millisecond}, 10_000
	})
	dir := t.TempDir()
	s := startSender(t, db, dir, private, crm)
	awaitPoller(t, db, "crm")
	events := ofSubscribers(newEvents("demo", 40), 3)
	for i := range events[20:] { // as the drain stores them
		e, before := &events[20+i], &events[19+i]
		e.ReceivedAt = e.ReceivedAt.Add(-time.Hour)
		e.ID = event.NewID(e.ReceivedAt)
		e.PositionOffset = before.Position().Add(time.Microsecond).Sub(e.ReceivedAt)
	}
	insert(t, db, events...)
	testutil.Eventually(t, func() error {
		counts, err := db.CountDeliveries(context.Background(), uuid.Nil)
		if open := (&event.Replay{Counts: counts}).Open(); err == nil && open != uint64(len(events)) {
			err = fmt.Errorf("%d deliveries open", open)
		}
		return err
	})
	s.stop()
	works.Store(true)
	startSender(t, db, dir, private, crm)
	awaitDelivered(t, db, events)
	assertInOrder(t, events, 3, &live)
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) {
		r.Concurrency, r.Order = 8, event.OrderSubscriber
	})
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events, &replayed)
	assertInOrder(t, events, 3, &replayed)
}

// TestOnCluster runs the tests of live delivery on two shards, one of which gets its part of an insert before the
// other.
func TestOnCluster(t *testing.T) {
	t.Parallel()
	enginetest.OnCluster(t, store.ShardedBy(), 1, "-test.run", "^TestLiveDelivery$")
	if enginetest.Whole() {
		enginetest.OnCluster(t, store.ShardedBy(), 3, "-test.run",
			"^(TestOrderOfASubscriber|TestDeliveredWhateverTheClocksSay|TestCancel)$")
	}
}

// TestDeadEndpoint verifies that a dead endpoint is called only a few times, that its events are not lost, and that
// another endpoint is not slowed.
func TestDeadEndpoint(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	var alive atomic.Bool
	var calls atomic.Int64
	var got, healthy receiver
	dead := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !alive.Load() {
			calls.Add(1)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		got.note(r)
	}))
	defer dead.Close()
	well := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { healthy.note(r) }))
	defer well.Close()
	startSender(t, db, t.TempDir(), replay.Options{},
		endpointAt("dead", dead.URL, func(e *replay.Endpoint) {
			e.Breaker = outbound.BreakerOptions{Failures: 5, ProbeAfter: 500 * time.Millisecond, ProbeMax: time.Second}
		}), endpointAt("well", well.URL, nil))
	awaitPoller(t, db, "dead")
	awaitPoller(t, db, "well")
	events := newEvents("demo", 200)
	insert(t, db, events...)
	awaitDelivered(t, db, events) // by the healthy endpoint
	assertEachOnce(t, events, &healthy)
	testutil.Eventually(t, func() error {
		states, err := db.EndpointStates(context.Background())
		for _, s := range states {
			if s.Endpoint == "dead" && s.State == "failing" && s.Reason != "" && !s.NextProbe.IsZero() {
				return err
			}
		}
		return fmt.Errorf("got the states %+v, %v", states, err)
	})
	if n := calls.Load(); n > 30 { // five failures, the concurrent requests, and the probes
		t.Errorf("a dead endpoint was called %d times", n)
	}
	alive.Store(true)
	awaitDelivered(t, db, append(events, events...))
	assertEachOnce(t, events, &got)
}

func TestStopAfterFailures(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 50)
	insert(t, db, events...)
	var repaired atomic.Bool
	var calls atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if !repaired.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.StopAfterFailures, r.MaxAttempts = 3, 5 })
	paused := awaitState(t, db, r.ID, event.ReplayPaused)
	if calls.Load() != 3 || paused.Reason == "" {
		t.Errorf("%d requests, reason %q", calls.Load(), paused.Reason)
	}
	repaired.Store(true)
	steer(t, db, r.ID.String(), event.ActionResume)
	awaitDone(t, db, r.ID)
	if counts, _ := db.CountDeliveries(context.Background(), r.ID); counts[event.Delivered] != 50 {
		t.Errorf("got the deliveries %v", counts)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	insert(t, db, newEvents("demo", 50)...)
	got := startReceiver(t)
	startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", got.URL, func(r *event.Replay) { r.Rate = 10 })
	testutil.Eventually(t, func() error {
		if len(got.all()) == 0 {
			return fmt.Errorf("no request arrived")
		}
		return nil
	})
	steer(t, db, r.ID.String(), event.ActionCancel)
	testutil.Eventually(t, func() error {
		counts, err := db.CountDeliveries(context.Background(), r.ID)
		if err == nil && counts[event.Cancelled]+counts[event.Delivered] != 50 {
			err = fmt.Errorf("got the deliveries %v", counts)
		}
		return err
	})
	counts, _ := db.CountDeliveries(context.Background(), r.ID)
	if n := uint64(len(got.all())); counts[event.Delivered] != n || n == 50 {
		t.Errorf("%d requests, %v", n, counts)
	}
	awaitState(t, db, r.ID, event.ReplayCancelled)
}

// TestPausedEndpoint verifies that a paused endpoint gets nothing, live or replayed, until it is resumed.
func TestPausedEndpoint(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	steer(t, db, "crm", event.ActionPause)
	startSender(t, db, t.TempDir(), replay.Options{}, endpointAt("crm", got.URL, nil))
	awaitPoller(t, db, "crm")
	events := newEvents("demo", 5)
	insert(t, db, events...)
	testutil.Eventually(t, func() error {
		counts, err := db.CountDeliveries(context.Background(), uuid.Nil)
		if err == nil && counts[event.Pending] != 5 {
			err = fmt.Errorf("got the deliveries %v", counts)
		}
		return err
	})
	if n := len(got.all()); n != 0 {
		t.Fatalf("%d requests to a paused endpoint", n)
	}
	steer(t, db, "crm", event.ActionResume)
	awaitDelivered(t, db, events)
}
