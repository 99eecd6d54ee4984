package replay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/outbound"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/replay"
)

// awaitEndpoint waits until an endpoint's status shows a state.
func awaitEndpoint(t *testing.T, db *store.Store, e replay.Endpoint, state string) {
	t.Helper()
	service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{e} }, false)
	testutil.Eventually(t, func() error {
		list, err := service.Endpoints(context.Background())
		if err == nil && list[0].State != state {
			err = fmt.Errorf("the endpoint is %s", list[0].State)
		}
		return err
	})
}

// awaitTried waits until each event was refused once and waits for its next attempt.
func awaitTried(t *testing.T, db *store.Store, events []event.Event, state event.DeliveryState) {
	t.Helper()
	for _, e := range events {
		testutil.Eventually(t, func() error {
			list, err := db.DeliveriesOf(context.Background(), e.ID)
			if err == nil && (len(list) != 1 || list[0].State != state) {
				err = fmt.Errorf("got the deliveries %+v", list)
			}
			return err
		})
	}
}

// TestResumeRetriesWaitingEvents: an endpoint works again while its events wait for hours. The test verifies that
// resuming the endpoint sends them immediately: those in memory, and those that the next process reads.
func TestResumeRetriesWaitingEvents(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]bool{"in memory": false, "in ClickHouse": true} {
		for _, order := range []event.Order{event.OrderNone, event.OrderSubscriber} {
			t.Run(name+", order "+string(order), func(t *testing.T) {
				t.Parallel()
				db := newStore(t)
				var repaired atomic.Bool
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					if !repaired.Load() {
						w.WriteHeader(http.StatusInternalServerError)
					}
				}))
				defer server.Close()
				crm := endpointAt("crm", server.URL, func(e *replay.Endpoint) {
					e.Retry.Schedule = []time.Duration{10 * time.Hour}
					e.Breaker.Failures = 0
					e.Order = order
				})
				dir := t.TempDir()
				s := startSender(t, db, dir, replay.Options{}, crm)
				awaitPoller(t, db, "crm")
				events := newEvents("demo", 3)
				insert(t, db, events...)
				awaitTried(t, db, events, event.Retrying)
				repaired.Store(true)
				if restart {
					s.stop()
				}
				steer(t, db, "crm", event.ActionResume)
				if restart {
					startSender(t, db, dir, replay.Options{}, crm)
				}
				awaitTried(t, db, events, event.Delivered)
			})
		}
	}
}

// TestResumeClosesTheBreaker verifies that resuming closes the breaker although no waiting event could show that the
// endpoint works.
func TestResumeClosesTheBreaker(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
	}))
	defer server.Close()
	crm := endpointAt("crm", server.URL, func(e *replay.Endpoint) {
		e.Breaker = outbound.BreakerOptions{Failures: 1, ProbeAfter: time.Hour, ProbeMax: time.Hour}
	})
	startSender(t, db, t.TempDir(), replay.Options{}, crm)
	awaitPoller(t, db, "crm")
	events := newEvents("demo", 1)
	insert(t, db, events...)
	awaitTried(t, db, events, event.Failed)
	awaitEndpoint(t, db, crm, "failing")
	steer(t, db, "crm", event.ActionResume)
	awaitEndpoint(t, db, crm, "active")
}
