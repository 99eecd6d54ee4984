package replay_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
)

// TestSimultaneousReplays verifies that six replays to one endpoint, created concurrently by three processes without an
// idempotency key, together send each event once.
func TestSimultaneousReplays(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	got := startReceiver(t)
	crm := endpointAt("crm", got.URL, func(e *replay.Endpoint) { e.Subscribe = nil })
	db := openStore(t, dsn)
	events := newEvents("demo", 200)
	insert(t, db, events...)

	var begin, creating sync.WaitGroup
	begin.Add(1)
	made := make([]event.Replay, 6)
	errs := make([]error, 6)
	for process := range 3 {
		service := replay.NewService(openStore(t, dsn), func() []replay.Endpoint {
			return []replay.Endpoint{crm}
		}, true)
		for n := 2 * process; n < 2*process+2; n++ {
			creating.Go(func() {
				begin.Wait()
				made[n], errs[n] = service.Create(context.Background(), replay.Actor{Name: "test"}, "",
					replay.Request{To: "crm"})
			})
		}
	}
	begin.Done()
	creating.Wait()
	startSender(t, db, t.TempDir(), private, crm)
	total := uint64(0)
	for n, r := range made {
		switch {
		case errs[n] == nil && r.Total > 0:
		case errors.Is(errs[n], replay.ErrNothing):
		default:
			t.Fatalf("replay %s of %d events: %v", r.ID, r.Total, errs[n])
		}
		total += r.Total
		if r.Total > 0 {
			awaitDone(t, db, r.ID)
		}
	}
	if total != uint64(len(events)) {
		t.Errorf("%d deliveries were frozen, want %d", total, len(events))
	}
	assertEachOnce(t, events, got)
}

// TestSameKeyInTwoProcesses verifies that of two concurrent creations with the same idempotency key one creates the
// replay and both return it.
func TestSameKeyInTwoProcesses(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	db := openStore(t, dsn)
	insert(t, db, newEvents("demo", 20)...)
	crm := endpointAt("crm", "http://127.0.0.1:1/", func(e *replay.Endpoint) { e.Subscribe = nil })
	var creating sync.WaitGroup
	made := make([]event.Replay, 2)
	errs := make([]error, 2)
	for n := range made {
		service := replay.NewService(openStore(t, dsn), func() []replay.Endpoint {
			return []replay.Endpoint{crm}
		}, true)
		creating.Go(func() {
			made[n], errs[n] = service.Create(context.Background(), replay.Actor{Name: "test"}, "once",
				replay.Request{To: "crm", ReplayOptions: event.ReplayOptions{Mode: event.ModeAll}})
		})
	}
	creating.Wait()
	if errs[0] != nil || errs[1] != nil || made[0].ID != made[1].ID || made[0].Total != 20 {
		t.Errorf("created %+v, %v; want one replay twice", made, errs)
	}
}
