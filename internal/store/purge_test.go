package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestPurge verifies that deliveries that ended long ago are removed with all their versions, in whichever parts they
// are. Open ones stay, and so do those of a replay that is not final.
func TestPurge(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	// each version stays in its own part
	d.exec(t, "ALTER TABLE "+d.localTable("deliveries")+" MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
	running, over := newReplay(1), newReplay(2)
	over.State, over.UpdatedAt = event.ReplayCompleted, time.Now().AddDate(0, 0, -50)
	for _, r := range []event.Replay{running, over} {
		if err := d.SaveReplay(background, r); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	n := 0
	deliver := func(endpoint string, replay uuid.UUID, receivedDays int, states ...event.DeliveryState) event.Event {
		t.Helper()
		n++
		e := daysAgo(receivedDays, n, "demo", event.Accepted)
		d.insert(t, e)
		for i, state := range states {
			record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: replay, Endpoint: endpoint,
				EventID: e.ID}, EventReceivedAt: e.ReceivedAt,
				State: state, Attempts: uint32(i), UpdatedAt: e.ReceivedAt.Add(time.Duration(i) * time.Minute)})
		}
		return e
	}
	ended := deliver("crm", uuid.Nil, 50, event.Pending, event.Retrying, event.Delivered)
	deliver("crm", over.ID, 50, event.Pending, event.Failed)
	open := deliver("crm", uuid.Nil, 60, event.Pending, event.Retrying)
	kept := deliver("crm", uuid.Nil, 20, event.Pending, event.Delivered)
	ofRunning := deliver("v2", running.ID, 51, event.Pending, event.Delivered)
	late := deliver("v2", uuid.Nil, 70, event.Pending) // paused for a long time, delivered yesterday
	record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "v2", EventID: late.ID},
		EventReceivedAt: late.ReceivedAt, State: event.Delivered, Attempts: 1, UpdatedAt: now.AddDate(0, 0, -1)})

	if swept, err := d.Purge(background, 30); err != nil || swept != 2 {
		t.Errorf("%d removed, %v", swept, err)
	}
	for _, c := range []struct {
		of   event.Event
		want event.DeliveryState
	}{{ended, ""}, {open, event.Retrying}, {kept, event.Delivered}, {ofRunning, event.Delivered},
		{late, event.Delivered}} {
		deliveries, err := d.DeliveriesOf(background, c.of.ID)
		state := event.DeliveryState("")
		if len(deliveries) > 0 {
			state = deliveries[0].State
		}
		if err != nil || state != c.want {
			t.Errorf("delivery of an event received %s ago: %q, %v, want %q", time.Since(c.of.ReceivedAt), state, err,
				c.want)
		}
	}
	if due, err := d.OpenDeliveries(background, store.Queue{Endpoint: "crm"}, store.Cursor{}, store.Cursor{},
		10); err != nil || len(due) != 1 || due[0].EventID != open.ID {
		t.Errorf("open deliveries: %+v, %v", due, err)
	}
	if _, err := d.Replay(background, over.ID); err == nil {
		t.Error("the finished replay still exists")
	}
	if _, err := d.Replay(background, running.ID); err != nil {
		t.Errorf("the running replay: %v", err)
	}
	if swept, err := d.Purge(background, 30); err != nil || swept != 0 {
		t.Errorf("second purge: %d removed, %v", swept, err)
	}
	if swept, err := d.Purge(background, store.Forever); err != nil || swept != 0 {
		t.Errorf("purge without a retention: %d removed, %v", swept, err)
	}

	// It is unknown whether events older than the purge were delivered.
	plan, err := d.PlanReplay(background, store.PlanRequest{Endpoint: "crm", Mode: event.ModeUndelivered})
	if err != nil || plan.Forgotten != 4 || plan.Count != 0 || plan.Delivered != 1 || plan.OnTheirWay != 1 ||
		len(plan.Heads) != 0 {
		t.Errorf("plan %+v, %v", plan, err)
	}
	r := newReplay(9)
	r.CreatedAt, r.Mode, r.Selection = now, event.ModeUndelivered, event.Selection{}
	if n, err := d.FreezeReplay(background, r); err != nil || n != 0 {
		t.Errorf("%d frozen, %v", n, err)
	}
	if found := d.list(t, event.Selection{UndeliveredTo: "crm"}); len(found) != 0 {
		t.Errorf("events undelivered to crm: %v", numbers(found))
	}
	if plan, err := d.PlanReplay(background, store.PlanRequest{Endpoint: "crm", Mode: event.ModeAll}); err != nil ||
		plan.Count != 6 || plan.Forgotten != 0 {
		t.Errorf("mode all: plan %+v, %v", plan, err)
	}
	if plan, err := d.PlanReplay(background, store.PlanRequest{Endpoint: "new",
		Mode: event.ModeUndelivered}); err != nil || plan.Count != 6 {
		t.Errorf("to another endpoint: plan %+v, %v", plan, err)
	}
}

// TestPurgeInterrupted verifies that a purge removes deliveries only when each has one row left. If ClickHouse has run
// the mutation on some parts only, no removed delivery may appear as open.
func TestPurgeInterrupted(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.exec(t, "ALTER TABLE "+d.localTable("deliveries")+" MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = 1")
	e := daysAgo(50, 1, "demo", event.Accepted)
	for i, state := range []event.DeliveryState{event.Pending, event.Retrying, event.Delivered} {
		record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: e.ID},
			EventReceivedAt: e.ReceivedAt, State: state, Attempts: uint32(i),
			UpdatedAt: e.ReceivedAt.Add(time.Duration(i) * time.Minute)})
	}
	parts := func() (n uint64) {
		t.Helper()
		if err := d.conn.QueryRow(background,
			"SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = '"+
				d.localTable("deliveries")+"' AND rows > 0").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if parts() != 3 {
		t.Fatalf("got %d parts", parts())
	}
	d.exec(t, "SYSTEM STOP MERGES "+d.localTable("deliveries")) // also stops mutations and makes OPTIMIZE fail
	if swept, err := d.Purge(background, 30); err == nil {
		t.Fatalf("%d removed, though the versions could not be merged", swept)
	}
	d.exec(t, "SYSTEM START MERGES "+d.localTable("deliveries"))
	var noted uint64
	if err := d.conn.QueryRow(background,
		"SELECT count() FROM swept WHERE endpoint = 'crm'").Scan(&noted); err != nil || noted == 0 {
		t.Errorf("the purge was not recorded before it began: %d, %v", noted, err)
	}
	if open, err := d.OpenDeliveries(background, store.Queue{Endpoint: "crm"}, store.Cursor{}, store.Cursor{},
		1); err != nil || len(open) != 0 || parts() != 3 {
		t.Errorf("%d open deliveries in %d parts, %v", len(open), parts(), err)
	}
	if swept, err := d.Purge(background, 30); err != nil || swept != 1 || parts() != 0 {
		t.Errorf("%d removed, %d parts left, %v", swept, parts(), err)
	}
}

// TestPurgeWaitsForPollers verifies that a process that was down for longer than the retention of deliveries continues
// where it stopped, and finds the deliveries that were created just before.
func TestPurgeWaitsForPollers(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	e := daysAgo(50, 1, "demo", event.Accepted)
	record(t, d, "", event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm", EventID: e.ID},
		EventReceivedAt: e.ReceivedAt, State: event.Delivered, Attempts: 1, UpdatedAt: e.ReceivedAt.Add(time.Second)})
	follow := func(endpoint, state string, until time.Time) {
		t.Helper()
		if err := d.SaveEndpointState(background, event.EndpointState{Endpoint: endpoint, State: state,
			UpdatedAt: time.Now(), FollowedSince: e.ReceivedAt.AddDate(0, 0, -1), FollowedUntil: until}); err != nil {
			t.Fatal(err)
		}
	}
	purge := func(when string, want uint64) {
		t.Helper()
		if swept, err := d.Purge(background, 30); err != nil || swept != want {
			t.Errorf("%s: %d removed, %v, want %d", when, swept, err, want)
		}
	}
	follow("crm", "active", time.Now())
	follow("shop", "active", time.Now())
	follow("shop", "active", e.ReceivedAt.Add(time.Minute))
	purge("one poller is behind", 0)
	follow("shop", "removed", e.ReceivedAt.Add(time.Minute))
	purge("the slow endpoint is removed", 1)
}
