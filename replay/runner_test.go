package replay_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
)

var private = replay.Options{AllowPrivate: true}

func TestOrderWithConcurrencyOne(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 100)
	insert(t, db, events...)
	got := startReceiver(t)
	startSender(t, db, t.TempDir(), private)
	awaitDone(t, db, startReplay(t, db, "demo", got.URL, nil).ID)
	receipts := got.all()
	if len(receipts) != len(events) {
		t.Fatalf("%d requests for %d events", len(receipts), len(events))
	}
	for i, r := range receipts {
		if r.id != events[i].ID.String() {
			t.Fatalf("request %d is event %s, want %s", i, r.id, events[i].ID)
		}
	}
}

func TestConcurrencyIsBoundedAndUsed(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	insert(t, db, newEvents("demo", 12)...)
	const limit = 3
	arrived, release := make(chan struct{}, 12), make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
	}))
	defer endpoint.Close()
	startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.Concurrency = limit })
	for range limit {
		<-arrived
	}
	select {
	case <-arrived:
		t.Errorf("more than %d concurrent requests", limit)
	case <-time.After(100 * time.Millisecond): // the absence of a request cannot be polled for
	}
	close(release)
	awaitDone(t, db, r.ID)
}

func TestRate(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	insert(t, db, newEvents("demo", 21)...)
	got := startReceiver(t)
	startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", got.URL, func(r *event.Replay) { r.Rate, r.Concurrency = 20, 8 })
	awaitDone(t, db, r.ID)
	receipts := got.all()
	if took := receipts[len(receipts)-1].at.Sub(receipts[0].at); took < 900*time.Millisecond {
		t.Errorf("21 requests at 20 a second took %s", took)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 40)
	insert(t, db, events...)
	var got receiver
	reached, goOn := make(chan struct{}), make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got.note(r) == 10 {
			close(reached)
			<-goOn
		}
	}))
	defer endpoint.Close()
	s := startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", endpoint.URL, nil)
	<-reached
	steer(t, db, r.ID.String(), event.ActionPause)
	// the runner has seen the command, which is more than having it stored
	testutil.Eventually(t, func() error {
		replays, err := db.UnfinishedReplays(context.Background())
		if err == nil && (len(replays) != 1 || replays[0].Saved != event.ReplayPaused) {
			err = fmt.Errorf("got the replays %+v", replays)
		}
		return err
	})
	close(goOn)
	testutil.Eventually(t, func() error { return logged(s, "delivery stops", 1) })
	paused := len(got.all())
	if paused > 11 {
		t.Errorf("%d requests after a pause at the tenth", paused)
	}
	if stored, err := db.Replay(context.Background(), r.ID); err != nil || stored.State != event.ReplayPaused {
		t.Errorf("state of the paused replay: %s, %v", stored.State, err)
	}
	steer(t, db, r.ID.String(), event.ActionResume)
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events, &got)
}

func assertEachOnce(t *testing.T, events []event.Event, got *receiver) {
	t.Helper()
	counts := got.countByID()
	if len(counts) != len(events) {
		t.Errorf("%d of %d events reached the endpoint", len(counts), len(events))
	}
	for id, n := range counts {
		if n != 1 {
			t.Errorf("event %s reached the endpoint %d times", id, n)
		}
	}
}

// assertAllDelivered verifies that every event is delivered, and that no endpoint saw an event more often than its
// recorded attempts.
func assertAllDelivered(t *testing.T, events []event.Event, got *receiver,
	attemptsOf func(event.Event) (event.Delivery, []event.Attempt)) {
	t.Helper()
	counts := got.countByID()
	for _, e := range events {
		d, attempts := attemptsOf(e)
		if d.State != event.Delivered {
			t.Errorf("event %s has the state %s", e.ID, d.State)
		}
		if n := counts[e.ID.String()]; n == 0 || n > len(attempts) {
			t.Errorf("event %s reached the endpoint %d times, recorded attempts: %s", e.ID, n, outcomes(attempts))
		}
		if int(d.Attempts) != len(attempts) {
			t.Errorf("event %s: %d attempts begun, recorded attempts: %s", e.ID, d.Attempts, outcomes(attempts))
		}
	}
}

// TestStopAndStart stops the sending process in order at random moments and verifies that each event arrives once.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 120)
	insert(t, db, events...)
	var got receiver
	stopAt := []int{10 + rand.IntN(40), 60 + rand.IntN(40)}
	t.Log("stops at", stopAt)
	stops := make(chan struct{}, len(stopAt))
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := got.note(r)
		for _, at := range stopAt {
			if n == at {
				stops <- struct{}{}
			}
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.Concurrency = 4 })
	for range stopAt {
		s := startSender(t, db, dir, private)
		<-stops
		s.stop()
	}
	startSender(t, db, dir, private)
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events, &got)
}

// TestKill kills the sending process at random moments and verifies that no event is lost.
func TestKill(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	db := openStore(t, dsn)
	events := newEvents("demo", 80)
	insert(t, db, events...)
	var got receiver
	kills := make(chan struct{}, 2)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := got.note(r); n == 15 || n == 50 {
			io.Copy(io.Discard, r.Body) // the server notices a closed connection only after it has read the body
			kills <- struct{}{}
			<-r.Context().Done() // this request gets no answer
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.Concurrency = 4 })
	settings, _ := json.Marshal(childSettings{dsn, dir})
	for range cap(kills) {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+string(settings))
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		<-kills
		child.Process.Kill()
		child.Wait()
	}
	startSender(t, db, dir, private)
	awaitDone(t, db, r.ID)
	unknown := 0
	assertAllDelivered(t, events, &got, func(e event.Event) (event.Delivery, []event.Attempt) {
		attempts := attemptsOf(t, db, e.ID)
		for i, a := range attempts {
			if a.Outcome == event.OutcomeUnknown {
				unknown++
				if i == len(attempts)-1 || a.Error == "" || a.StatusCode != 0 {
					t.Errorf("an unknown attempt: %+v of %s", a, outcomes(attempts))
				}
			}
		}
		return deliveryOf(t, db, e.ID), attempts
	})
	if unknown < cap(kills) {
		t.Errorf("2 kills during attempts, but only %d attempts are unknown", unknown)
	}
}

// TestClickHouseDies kills ClickHouse during a replay and verifies that the replay continues when ClickHouse is back.
// It sends nothing twice, because its outcomes are on disk.
func TestClickHouseDies(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	storetest.Migrate(t, engine.DSN("hooktape"))
	db := openStore(t, engine.DSN("hooktape"))
	events := newEvents("demo", 200)
	insert(t, db, events...)
	var got receiver
	var once sync.Once
	midway := make(chan struct{})
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got.note(r) == 80 {
			once.Do(func() { close(midway) })
		}
	}))
	defer endpoint.Close()
	s := startSender(t, db, t.TempDir(), private)
	r := startReplay(t, db, "demo", endpoint.URL, func(r *event.Replay) { r.Rate, r.Concurrency = 100, 2 })
	<-midway
	engine.Kill()
	testutil.Eventually(t, func() error {
		if s.runner.Failing() == nil {
			return fmt.Errorf("the runner does not notice")
		}
		return nil
	})
	engine.Restart()
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events, &got)
	assertAllDelivered(t, events, &got, func(e event.Event) (event.Delivery, []event.Attempt) {
		return deliveryOf(t, db, e.ID), attemptsOf(t, db, e.ID)
	})
	if err := s.runner.Failing(); err != nil {
		t.Errorf("ClickHouse is back, but the runner reports %v", err)
	}
}

// TestResumedBeforeOutcomesAreStored verifies that a replay that is paused and resumed while its outcomes are only on
// disk waits until they are stored, instead of sending by an outdated state.
func TestResumedBeforeOutcomesAreStored(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 5)
	insert(t, db, events...)
	got := startReceiver(t)
	s := newSender(t, db, t.TempDir(), private)
	s.startRunner() // without a recorder no outcome reaches ClickHouse
	r := startReplay(t, db, "demo", got.URL, nil)
	testutil.Eventually(t, func() error {
		if n := s.spool.Stat().Appended; n != 2*uint64(len(events)) {
			return fmt.Errorf("%d outcomes are recorded", n)
		}
		return nil
	})
	steer(t, db, r.ID.String(), event.ActionPause)
	testutil.Eventually(t, func() error { return logged(s, "delivery stops", 1) })
	steer(t, db, r.ID.String(), event.ActionResume)
	testutil.Eventually(t, func() error { return logged(s, "delivery begins", 2) })
	s.startRecorder()
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events, got)
	for _, e := range events {
		if attempts := attemptsOf(t, db, e.ID); outcomes(attempts) != "1:delivered" {
			t.Errorf("attempts of event %s: %s", e.ID, outcomes(attempts))
		}
	}
}

func logged(s *sender, line string, times int) error {
	if n := strings.Count(s.log.String(), line); n < times {
		return fmt.Errorf("the log has %q %d times:\n%s", line, n, s.log)
	}
	return nil
}

func hasHeader(headers []event.Header, name, value string) bool {
	for _, h := range headers {
		if h.Name == name && h.Value == value {
			return true
		}
	}
	return false
}

// TestStopWhileAnEndpointHangs verifies that stopping does not wait for the endpoint: the interrupted attempt is
// unknown and is repeated later. If it waited for the endpoint's timeout, the outcome would be a timeout.
func TestStopWhileAnEndpointHangs(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 1)
	insert(t, db, events...)
	var got receiver
	arrived := make(chan struct{}, 2)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		if got.note(r) == 1 {
			<-r.Context().Done()
		}
	}))
	defer endpoint.Close()
	dir := t.TempDir()
	s := startSender(t, db, dir, private)
	r := startReplay(t, db, "demo", endpoint.URL, nil)
	<-arrived
	s.stop()
	startSender(t, db, dir, private)
	awaitDone(t, db, r.ID)
	if list := outcomes(attemptsOf(t, db, events[0].ID)); list != "1:unknown 2:delivered" || len(got.all()) != 2 {
		t.Errorf("%d requests, attempts %s", len(got.all()), list)
	}
}

// TestNothingToSend verifies that a delivery whose event or body was deleted fails with the reason, and that nothing is
// sent.
func TestNothingToSend(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	whole := newEvent("demo", 1)
	withoutBody := newEvent("demo", 2)
	gone := newEvent("demo", 3)
	withoutBody.Body, withoutBody.BodySHA256 = nil, sha256.Sum256([]byte("what it was"))
	insert(t, db, whole, withoutBody)
	got := startReceiver(t)
	r := startReplay(t, db, "demo", got.URL, nil)
	var late []event.Delivery
	for _, e := range []event.Event{withoutBody, gone} {
		late = append(late,
			event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: r.ID, Endpoint: r.Endpoint, EventID: e.ID},
				EventReceivedAt: e.ReceivedAt, State: event.Pending, UpdatedAt: time.Now()})
	}
	if err := db.InsertDeliveries(context.Background(), late); err != nil {
		t.Fatal(err)
	}
	startSender(t, db, t.TempDir(), private)
	awaitDone(t, db, r.ID)
	if d := deliveryOf(t, db, gone.ID); d.State != event.Failed || d.Error != "the event is no longer stored" ||
		d.Attempts != 0 {
		t.Errorf("delivery without an event: %+v", d)
	}
	if d := deliveryOf(t, db, withoutBody.ID); d.State != event.Failed ||
		!strings.Contains(d.Error, "past its retention") || d.Attempts != 0 {
		t.Errorf("delivery without a body: %+v", d)
	}
	assertEachOnce(t, []event.Event{whole}, got)
}

// TestOutcomesCannotBeRecorded verifies that nothing is sent whose outcome cannot be recorded, and that there is no
// busy loop.
func TestOutcomesCannotBeRecorded(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	insert(t, db, newEvents("demo", 3)...)
	got := startReceiver(t)
	s := startSender(t, db, t.TempDir(), private)
	testutil.Eventually(t, func() error { return s.runner.Failing() })
	s.spool.Close()
	startReplay(t, db, "demo", got.URL, nil)
	begun := time.Now()
	testutil.Eventually(t, func() error { return logged(s, "delivery begins", 3) })
	if took := time.Since(begun); took < 800*time.Millisecond {
		t.Errorf("a replay that cannot continue was started 3 times within %s", took)
	}
	if n := len(got.all()); n != 0 {
		t.Errorf("%d requests were sent whose outcome could not be recorded", n)
	}
}
