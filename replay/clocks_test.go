package replay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/replay"
)

// TestAnotherClockIsAhead verifies that this process's rows of a replay and an endpoint are newer than those that
// another machine wrote with a clock that is an hour ahead.
func TestAnotherClockIsAhead(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	events := newEvents("demo", 3)
	insert(t, db, events...)
	got := startReceiver(t)
	ahead := time.Now().Add(time.Hour)
	if err := db.SaveEndpointState(context.Background(),
		event.EndpointState{Endpoint: "crm", State: "failing", UpdatedAt: ahead}); err != nil {
		t.Fatal(err)
	}
	r := startReplay(t, db, "demo", got.URL, func(r *event.Replay) { r.CreatedAt, r.UpdatedAt = ahead, ahead })
	startSender(t, db, t.TempDir(), private, endpointAt("crm", got.URL, nil))
	awaitDone(t, db, r.ID)
	assertEachOnce(t, events, got)
	testutil.Eventually(t, func() error {
		states, err := db.EndpointStates(context.Background())
		active := func(s event.EndpointState) bool { return s.Endpoint == "crm" && s.State == "active" }
		if err == nil && !slices.ContainsFunc(states, active) {
			err = fmt.Errorf("got the states %+v", states)
		}
		return err
	})
}

// TestEventsAreKeptWhileTheWorkerIsAway verifies that an endpoint whose TLS files were invalid for a while gets the
// events received in that time.
func TestEventsAreKeptWhileTheWorkerIsAway(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	good := endpointAt("crm", got.URL, nil)
	bad := endpointAt("crm", got.URL, func(e *replay.Endpoint) { e.TLS.CAFile = "/nowhere" })
	s := startSender(t, db, t.TempDir(), private, good)
	awaitPoller(t, db, "crm")
	s.runner.SetEndpoints([]replay.Endpoint{bad})
	testutil.Eventually(t, func() error { return logged(s, "nothing can be sent to an endpoint", 1) })
	events := newEvents("demo", 3)
	insert(t, db, events...)
	other := endpointAt("other", got.URL, func(e *replay.Endpoint) { e.Subscribe = nil })
	s.runner.SetEndpoints([]replay.Endpoint{bad, other})
	awaitStateWritten(t, db, "other") // in the order of the configuration
	s.runner.SetEndpoints([]replay.Endpoint{good})
	awaitDelivered(t, db, events)
	assertEachOnce(t, events, got)
}

// TestACancelIsFinal verifies that a cancelled replay stays cancelled, whatever commands come before and after.
func TestACancelIsFinal(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	r := startReplay(t, db, "demo", "http://127.0.0.1:1/", nil)
	for _, action := range []event.Action{event.ActionPause, event.ActionCancel, event.ActionPause,
		event.ActionResume} {
		steer(t, db, r.ID.String(), action)
	}
	steering, _, err := db.Steering(context.Background())
	if got := steering[r.ID.String()].Action; err != nil || got != event.ActionCancel {
		t.Errorf("the replay's command is %q, %v", got, err)
	}
	if shown, err := db.Replay(context.Background(), r.ID); err != nil || shown.State != event.ReplayCancelled {
		t.Errorf("%s, %v", shown.State, err)
	}
}

// TestMaxAgeIsOfRetries verifies that max_age does not prevent a late first attempt, only later retries.
func TestMaxAgeIsOfRetries(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	var got receiver
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got.note(r)
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	steer(t, db, "crm", event.ActionPause)
	startSender(t, db, t.TempDir(), private, endpointAt("crm", server.URL, func(e *replay.Endpoint) {
		e.Retry.MaxAge = time.Millisecond
	}))
	awaitPoller(t, db, "crm")
	e := newEvents("demo", 1)
	insert(t, db, e...)
	awaitStateWritten(t, db, "crm") // takes longer than the maximum age
	steer(t, db, "crm", event.ActionResume)
	testutil.Eventually(t, func() error {
		counts, err := db.CountDeliveries(context.Background(), uuid.Nil)
		if err == nil && counts[event.Failed] != 1 {
			err = fmt.Errorf("got the deliveries %v", counts)
		}
		return err
	})
	if n := len(got.all()); n != 1 {
		t.Errorf("%d attempts", n)
	}
}
