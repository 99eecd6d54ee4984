package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// setBack returns events of a spool in the order of their numbers, with positions as the drain assigns them. The clock
// was set back by an hour before their second half.
func setBack(n int) []event.Event {
	events := numbered("a", 1, n)
	last := events[n/2-1].ReceivedAt
	for i := n / 2; i < n; i++ {
		e := &events[i]
		e.ReceivedAt = e.ReceivedAt.Add(-time.Hour)
		e.ID = idAt(e.ReceivedAt, i+1)
		last = last.Add(time.Microsecond)
		e.PositionOffset = last.Sub(e.ReceivedAt)
	}
	return events
}

func eventIDs(deliveries []event.Delivery) (ids []uuid.UUID) {
	for _, d := range deliveries {
		ids = append(ids, d.EventID)
	}
	return ids
}

// open reads the open deliveries of a queue in pages of a size.
func (d db) open(t *testing.T, q store.Queue, size int) (all []event.Delivery) {
	t.Helper()
	var after store.Cursor
	for {
		page, err := d.OpenDeliveries(background, q, after, store.Cursor{}, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
		last := all[len(all)-1]
		after = store.Cursor{At: last.Position(), ID: last.EventID}
	}
}

// TestOrderOverASetBackClock verifies that open deliveries are read in the order of the spool although the clock was
// set back: live, in a replay, and in each open state.
func TestOrderOverASetBackClock(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	events := setBack(10)
	d.insert(t, events...)
	got, err := d.Event(background, events[7].ID)
	if err != nil || got.PositionOffset != events[7].PositionOffset || !got.Position().After(events[6].Position()) {
		t.Errorf("position %s of %+v, %v", got.Position(), got, err)
	}
	live := store.Queue{Endpoint: "crm"}
	ranges, err := d.Ranges(background, nil)
	if err != nil || len(ranges) != 1 {
		t.Fatalf("ranges %+v, %v", ranges, err)
	}
	found, _, err := d.Follow(background, live, store.Subscription{}, ranges[0], 100)
	if err != nil || !slices.Equal(eventIDs(found), idsOf(events)) {
		t.Fatalf("the poller found %v, %v", eventIDs(found), err)
	}
	slices.Reverse(found)
	for range 2 {
		if err := d.InsertDeliveries(background, found); err != nil {
			t.Fatal(err)
		}
	}
	if again, _, err := d.Follow(background, live, store.Subscription{}, ranges[0], 100); err != nil || len(again) > 0 {
		t.Errorf("the poller found events again: %v, %v", eventIDs(again), err)
	}
	r := newReplay(1)
	r.CreatedAt = dawn.Add(time.Hour)
	for range 2 {
		if n, err := d.FreezeReplay(background, r); err != nil || n != uint64(len(events)) {
			t.Errorf("%d frozen, %v", n, err)
		}
	}
	frozen := store.Queue{ReplayID: r.ID, Endpoint: r.Endpoint}
	for what, q := range map[string]store.Queue{"live": live, "replay": frozen} {
		waiting := d.open(t, q, 3)
		if !slices.Equal(eventIDs(waiting), idsOf(events)) {
			t.Errorf("%s: got order %v, want %v", what, eventIDs(waiting), idsOf(events))
		}
		for i := range waiting { // each is refused once, the last one first
			waiting[i].State, waiting[i].Attempts, waiting[i].NextAt = event.Retrying, 1, dawn
		}
		slices.Reverse(waiting)
		record(t, d, "", waiting...)
		if again := d.open(t, q, 3); !slices.Equal(eventIDs(again), idsOf(events)) || again[0].State != event.Retrying {
			t.Errorf("%s, retrying: got order %v, want %v", what, eventIDs(again), idsOf(events))
		}
		if err := d.CancelDeliveries(background, q); err != nil {
			t.Fatal(err)
		}
		if left := d.open(t, q, 3); len(left) > 0 {
			t.Errorf("%s: %d open deliveries left", what, len(left))
		}
	}
	if n := d.text(t,
		"SELECT toString((count(), uniqExact(replay_id, event_id), groupUniqArray(state))) FROM deliveries FINAL"); n != "(20,20,['cancelled'])" {
		t.Errorf("number of rows, deliveries and states: %s", n)
	}
}

// TestFollowedByAnOlderVersion verifies that the poller does not find an event again for which a version without
// positions created a delivery.
func TestFollowedByAnOlderVersion(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.insert(t, setBack(10)...)
	d.exec(t,
		"INSERT INTO deliveries (replay_id, endpoint, event_received_at, event_id, state) SELECT "+
			"toUUID('00000000-0000-0000-0000-000000000000'), 'crm', received_at, id, 'pending' FROM events WHERE "+
			"spool_number != 8")
	ranges, err := d.Ranges(background, nil)
	if err != nil || len(ranges) != 1 {
		t.Fatalf("ranges %+v, %v", ranges, err)
	}
	found, _, err := d.Follow(background, store.Queue{Endpoint: "crm"}, store.Subscription{}, ranges[0], 100)
	if err != nil || !slices.Equal(eventIDs(found), idsOf(setBack(10)[7:8])) {
		t.Errorf("the poller found %v, %v", eventIDs(found), err)
	}
}

// TestDeliveriesAreReordered verifies the migration that adds positions: afterwards all deliveries exist in their
// newest state, also if the migration was interrupted at any step and starts over.
func TestDeliveriesAreReordered(t *testing.T) {
	t.Parallel()
	d := open(t, enginetest.DSN(t))
	migrate := func(upTo int64) {
		t.Helper()
		if err := d.MigrateUpTo(background, upTo); err != nil {
			t.Fatal(err)
		}
	}
	migrate(43)
	fillUnpositioned(t, d)
	migrate(45)
	var before []string // the statements that create the tables of version 45
	for _, table := range []string{"deliveries", "deliveries_by_position"} {
		before = append(before,
			d.text(t, "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = '"+
				table+"'"))
	}
	const again = "ALTER TABLE goose_db_version DELETE WHERE version_id >= 46 SETTINGS mutations_sync = 1"
	const copied = "INSERT INTO deliveries_by_position (" + unpositioned + ") SELECT " + unpositioned +
		" FROM deliveries WHERE version = 0"
	const moved = "RENAME TABLE deliveries TO deliveries_by_time"
	for _, c := range []struct {
		name  string
		done  bool // the migration has run before
		steps []string
	}{
		{"whole", false, nil},
		{"done and not recorded", true, nil},
		{"interrupted while copying", false, []string{copied}},
		{"interrupted while renaming", false, []string{copied, moved}},
		{"interrupted before the second copy", false,
			[]string{copied, moved, "RENAME TABLE deliveries_by_position TO deliveries"}},
	} {
		if c.name != "whole" {
			d.exec(t, again)
		}
		if c.name != "whole" && !c.done {
			d.exec(t, "DROP TABLE deliveries SYNC")
			for _, statement := range before {
				d.exec(t, statement)
			}
			fillUnpositioned(t, d)
		}
		for _, step := range c.steps {
			d.exec(t, step)
		}
		if _, err := d.Migrate(background); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		t.Run(c.name, func(t *testing.T) { assertReordered(t, d) })
	}
}

// unpositioned are the columns of deliveries that a version without positions writes.
const unpositioned = "replay_id, endpoint, event_received_at, event_id, state, attempts, version"

// fillUnpositioned inserts 200 deliveries of two months as a version without positions does, every second one in two
// versions.
func fillUnpositioned(t *testing.T, d db) {
	t.Helper()
	for version, state := range []string{"pending", "delivered"} {
		d.exec(t,
			fmt.Sprintf("INSERT INTO deliveries (%s) SELECT toUUID('00000000-0000-0000-0000-000000000000'), 'crm', "+
				"toDateTime64('2026-02-28 23:59:59', 6, 'UTC') + toIntervalMillisecond(number * 10), "+
				"toUUID(concat('00000000-0000-7000-8000-', leftPad(toString(number), 12, '0'))), '%s', %[3]d, %[3]d "+
				"* 12 FROM numbers(200) WHERE number %% 2 >= %[3]d", unpositioned, state, version))
	}
}

func assertReordered(t *testing.T, d db) {
	t.Helper()
	if got := d.text(t,
		"SELECT toString((count(), countIf(state = 'delivered'), countIf(event_position = event_received_at), "+
			"countIf(subscriber = toString(event_id)))) FROM deliveries FINAL"); got != "(200,100,200,200)" {
		t.Errorf("number of deliveries, delivered ones, ones with a position and ones with a subscriber: %s", got)
	}
	if key := d.text(t, "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = '"+
		d.localTable("deliveries")+"'"); key != "replay_id, endpoint, event_position, event_id, event_received_at" {
		t.Errorf("the sorting key is %s", key)
	}
	if left := d.text(t,
		"SELECT toString(groupArray(name)) FROM system.tables WHERE database = currentDatabase() AND name LIKE "+
			"'deliveries\\_%' AND name != 'deliveries_local'"); left != "[]" {
		t.Errorf("leftover tables: %s", left)
	}
	if open := d.open(t, store.Queue{Endpoint: "crm"}, 50); len(open) != 100 {
		t.Errorf("%d deliveries are open", len(open))
	}
}

// testDeliveriesAreReorderedOnACluster is TestDeliveriesAreReordered on both shards of a cluster.
func testDeliveriesAreReorderedOnACluster(t *testing.T, dsn string) {
	s, err := store.OpenCluster(dsn, enginetest.ClusterName)
	if err != nil {
		t.Fatal(err)
	}
	d := besideCluster(t, s, dsn)
	if err := d.MigrateUpTo(background, 43); err != nil {
		t.Fatal(err)
	}
	fillUnpositioned(t, d)
	for range 2 {
		if _, err := d.Migrate(background); err != nil {
			t.Fatal(err)
		}
		assertReordered(t, d)
		d.exec(t, "ALTER TABLE goose_db_version_local DELETE WHERE version_id >= 46 SETTINGS mutations_sync = 1")
	}
	if got := d.text(t,
		"SELECT toString(count()) FROM (SELECT shardNum() FROM deliveries GROUP BY shardNum())"); got != "2" {
		t.Errorf("the rows are on %s shards", got)
	}
}
