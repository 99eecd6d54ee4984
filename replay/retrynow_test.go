package replay_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/replay"
)

// TestRetryOnce verifies that a command to retry deliveries makes one attempt at each, however often the runner reads
// the command: again in each reconcile, and in the next process.
func TestRetryOnce(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{event.LiveDelivery, "replay"} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			db := newStore(t)
			var got receiver
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got.note(r)
				w.WriteHeader(http.StatusInternalServerError)
			}))
			defer server.Close()
			crm := endpointAt("crm", server.URL, func(e *replay.Endpoint) {
				e.Retry.Schedule = []time.Duration{10 * time.Hour}
				e.Breaker.Failures = 0
				if queue != event.LiveDelivery {
					e.Subscribe = nil
				}
			})
			service := replay.NewService(db, func() []replay.Endpoint { return []replay.Endpoint{crm} }, false)
			events := newEvents("demo", 3)
			await := func(attempts uint32) {
				t.Helper()
				testutil.Eventually(t, func() error {
					for _, e := range events {
						list, err := db.DeliveriesOf(context.Background(), e.ID)
						if err != nil || len(list) != 1 || list[0].State != event.Retrying || list[0].Attempts < attempts {
							return fmt.Errorf("attempt %d: %+v, %v", attempts, list, err)
						}
					}
					return nil
				})
			}
			toCRM := func(r *event.Replay) { r.Endpoint, r.MaxAttempts = "crm", 0 }

			dir := t.TempDir()
			s := startSender(t, db, dir, replay.Options{}, crm)
			if queue == event.LiveDelivery {
				awaitPoller(t, db, "crm")
			}
			insert(t, db, events...)
			if queue != event.LiveDelivery {
				startReplay(t, db, "demo", crm.URL, toCRM)
			}
			await(1)
			result, err := service.Retry(context.Background(), replay.Actor{Name: "test"}, "",
				event.DeliverySelection{Endpoints: []string{"crm"}}, false)
			if err != nil || result.Asked != uint64(len(events)) || len(result.Refused) > 0 {
				t.Fatalf("retry: %+v, %v", result, err)
			}
			await(2)
			s.stop()
			s = startSender(t, db, dir, replay.Options{}, crm)
			// A replay that begins after the restart has made its attempt: the command was read before.
			insert(t, db, newEvents("later", 1)...)
			later := startReplay(t, db, "later", crm.URL, toCRM)
			testutil.Eventually(t, func() error {
				counts, err := db.CountDeliveries(context.Background(), later.ID)
				if err == nil && counts[event.Retrying] != 1 {
					err = fmt.Errorf("deliveries of the later replay: %v", counts)
				}
				return err
			})
			s.stop()
			for _, e := range events {
				const want = "1:bad_status 2:bad_status"
				if attempts := outcomes(attemptsOf(t, db, e.ID)); attempts != want || got.countByID()[e.ID.String()] != 2 {
					t.Errorf("event %s: attempts %s, want %s; %d requests", e.ID, attempts, want,
						got.countByID()[e.ID.String()])
				}
			}
		})
	}
}
