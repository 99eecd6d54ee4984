package replay_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
)

// TestDeliveredWhateverTheClocksSay verifies that events are delivered although they were received while clocks were
// hours ahead or behind, or their insert took very long, between events with the right time.
func TestDeliveredWhateverTheClocksSay(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	startSender(t, db, t.TempDir(), replay.Options{}, endpointAt("crm", got.URL, nil))
	awaitPoller(t, db, "crm")
	spool, number := rand.Text(), uint64(1)
	var all []event.Event
	for i, off := range []time.Duration{0, 2 * time.Hour, 0, -3 * time.Hour, -10 * time.Minute, 24 * time.Hour, 0} {
		e := newEvents("demo", 10*i+3)[10*i:]
		for n := range e {
			e[n].ReceivedAt = e[n].ReceivedAt.Add(off)
			e[n].ID = event.NewID(e[n].ReceivedAt)
		}
		insertAs(t, db, spool, number, e...)
		number += uint64(len(e))
		all = append(all, e...)
		awaitDelivered(t, db, all) // each group moves the position
	}
	assertEachOnce(t, all, got)
}

// TestNothingIsDeliveredBeforeItsInsertIsComplete verifies that no event of a running insert is delivered while only
// some of its rows are visible.
func TestNothingIsDeliveredBeforeItsInsertIsComplete(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	db := openStore(t, dsn)
	got := startReceiver(t)
	startSender(t, db, t.TempDir(), replay.Options{}, endpointAt("crm", got.URL, nil))
	awaitPoller(t, db, "crm")
	events := newEvents("demo", 4)
	insertAs(t, db, "spool", 1, events[0])
	awaitDelivered(t, db, events[:1])
	// The last of three events is visible, as one part of an INSERT into several partitions may be, but the insert is
	// not marked as complete.
	execute(t, dsn, fmt.Sprintf(`INSERT INTO events (id, received_at, source, verdict, method, body, spool, spool_number)
		SELECT toUUID('%s'), fromUnixTimestamp64Micro(%d), 'demo', 'accepted', 'POST', '{}', 'spool', 4`, events[3].ID, events[3].ReceivedAt.UnixMicro()))
	other := newEvents("other", 5)[4:]
	insertAs(t, db, "other spool", 1, other...)
	awaitDelivered(t, db, []event.Event{events[0], other[0]})
	insertAs(t, db, "spool", 2, events[1:]...) // as the drain does when it repeats the batch
	all := append(events, other...)
	awaitDelivered(t, db, all)
	assertEachOnce(t, all, got)
}

// TestANewEndpointStartsWhenItIsKnown verifies that an endpoint that becomes known while ClickHouse is away gets the
// events received from then on, and no older ones.
func TestANewEndpointStartsWhenItIsKnown(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	s := newSender(t, db, t.TempDir(), replay.Options{}, endpointAt("crm", got.URL, nil))
	old, fresh := newEvents("demo", 10), newEvents("demo", 20)[10:]
	for i := range fresh {
		old[i].ReceivedAt = time.Now().Add(-time.Minute)
		old[i].ID = event.NewID(old[i].ReceivedAt)
		fresh[i].ReceivedAt = time.Now()
		fresh[i].ID = event.NewID(fresh[i].ReceivedAt)
	}
	insertAs(t, db, "spool", 1, append(old, fresh...)...)
	s.startRecorder()
	s.startRunner()
	awaitDelivered(t, db, fresh)
	assertEachOnce(t, fresh, got)
}

// TestAWiderSubscription verifies that a wider subscription applies to events received after the change only.
func TestAWiderSubscription(t *testing.T) {
	t.Parallel()
	db := newStore(t)
	got := startReceiver(t)
	narrow := endpointAt("crm", got.URL, func(e *replay.Endpoint) { e.Subscribe.Sources = []string{"shop"} })
	s := startSender(t, db, t.TempDir(), replay.Options{}, narrow)
	awaitPoller(t, db, "crm")
	shop := newEvents("shop", 3)
	insertAs(t, db, "spool", 1, newEvents("blog", 50)...)
	insertAs(t, db, "spool", 51, shop...)
	awaitDelivered(t, db, shop)
	s.runner.SetEndpoints([]replay.Endpoint{endpointAt("crm", got.URL, nil)})
	testutil.Eventually(t, func() error {
		states, err := db.EndpointStates(context.Background())
		if err == nil && (len(states) != 1 || states[0].Subscription != "{}") {
			err = fmt.Errorf("got the states %+v", states)
		}
		return err
	})
	later := newEvents("blog", 60)[50:]
	for i := range later {
		later[i].ReceivedAt = time.Now()
		later[i].ID = event.NewID(later[i].ReceivedAt)
	}
	insertAs(t, db, "spool", 54, later...)
	all := append(shop, later...)
	awaitDelivered(t, db, all)
	assertEachOnce(t, all, got)
}

// TestAuditOfDeliveries verifies that an event without a delivery is found and delivered at the next start.
func TestAuditOfDeliveries(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	db := openStore(t, dsn)
	got := startReceiver(t)
	dir, crm := t.TempDir(), endpointAt("crm", got.URL, nil)
	s := startSender(t, db, dir, replay.Options{}, crm)
	awaitPoller(t, db, "crm")
	events := newEvents("demo", 5)
	insertAs(t, db, "spool", 1, events...)
	awaitDelivered(t, db, events)
	testutil.Eventually(t, func() error { // the position was saved
		states, err := db.EndpointStates(context.Background())
		if err == nil && (len(states) != 1 || states[0].Positions["spool"] != 5) {
			err = fmt.Errorf("got the states %+v", states)
		}
		return err
	})
	s.stop()
	execute(t, dsn, fmt.Sprintf("DELETE FROM deliveries WHERE event_id = '%s'", events[2].ID))
	s = startSender(t, db, dir, replay.Options{}, crm)
	awaitDelivered(t, db, events)
	testutil.Eventually(t, func() error { return logged(s, "stored events had no delivery", 1) })
	if n := len(got.all()); n != 6 { // this test deleted its first delivery
		t.Errorf("%d requests", n)
	}
}

// TestALeaseWithoutClocks verifies that a process that does not renew its claim counts as dead, although a clock that
// is ahead wrote the claim.
func TestALeaseWithoutClocks(t *testing.T) {
	t.Parallel()
	dsn := storetest.DSN(t)
	db := openStore(t, dsn)
	execute(t, dsn,
		"INSERT INTO holders (shard, holder, host, since, seen_at, released) SELECT '1/1', 'dead', 'a host', "+
			"now64(6) + INTERVAL 1 HOUR, now64(6) + INTERVAL 2 HOUR, false")
	startSender(t, db, t.TempDir(), replay.Options{})
	testutil.Eventually(t, func() error {
		holders, err := db.LeaseClaims(context.Background(), store.DeliveryLease)
		if err == nil && (len(holders) != 1 || holders[0].ID == "dead") {
			err = fmt.Errorf("got the claims %+v", holders)
		}
		return err
	})
}

func execute(t *testing.T, dsn, sql string) {
	t.Helper()
	if err := enginetest.Connect(t, dsn).Exec(context.Background(), sql); err != nil {
		t.Fatal(err)
	}
}
