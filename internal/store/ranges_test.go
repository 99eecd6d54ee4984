package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// numbered returns n events of a spool with the numbers from first on, a millisecond apart.
func numbered(spool string, first, n int) []event.Event {
	events := make([]event.Event, n)
	for i := range events {
		number := first + i
		events[i] = eventAt(dawn.Add(time.Duration(number)*time.Millisecond), number)
		events[i].Spool, events[i].SpoolNumber = spool, uint64(number)
	}
	return events
}

// TestRanges verifies that the ranges after a position have no gaps and no overlaps, and that every event is in one of
// them, also if its time contradicts its number.
func TestRanges(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	all := numbered("a", 1, 20_000)
	all[100].ReceivedAt = dawn.Add(-48 * time.Hour) // in another partition
	all[19_990].ReceivedAt = dawn.Add(2 * time.Hour)
	for part := range slices.Chunk(all, 7000) {
		d.insert(t, part...)
	}
	d.insert(t, numbered("b", 50_000, 10)...)
	for _, position := range []uint64{0, 8190, 8191, 8192, 19_999, 20_000} {
		ranges, err := d.Ranges(background, map[string]uint64{"a": position, "b": 50_009})
		if err != nil {
			t.Fatal(err)
		}
		at, found := position, map[uuid.UUID]bool{}
		for _, r := range ranges {
			if r.Spool != "a" || r.After != at && r.After != at+1 && r.After+1 != at || r.Last <= r.After {
				t.Fatalf("after position %d, range at %d: %+v", position, at, r)
			}
			for rest := r; ; {
				deliveries, last, err := d.Follow(background, store.Queue{Endpoint: "crm"}, store.Subscription{}, rest,
					5000)
				if err != nil {
					t.Fatal(err)
				}
				for _, delivery := range deliveries {
					found[delivery.EventID] = true
				}
				if rest.After = last; last >= r.Last {
					break
				}
			}
			at = r.Last
		}
		if uint64(len(found)) != 20_000-position || at != 20_000 {
			t.Errorf("after position %d: %d events up to %d", position, len(found), at)
		}
		for _, e := range all[position:] {
			if !found[e.ID] {
				t.Fatalf("after position %d: number %d is missing", position, e.SpoolNumber)
			}
		}
	}
}

// TestMarkStored verifies the repair after a process that died between an insert and marking it as stored.
func TestMarkStored(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	d.insert(t, numbered("a", 1, 3)...)
	d.exec(t, "TRUNCATE TABLE stored_ranges")
	events := numbered("a", 1, 3)
	if err := d.MarkStored(background, []uuid.UUID{events[0].ID, events[2].ID}); err != nil {
		t.Fatal(err)
	}
	ranges, err := d.Ranges(background, nil)
	if err != nil || len(ranges) != 1 || fmt.Sprint(ranges[0].After, ranges[0].Last, ranges[0].From.Sub(dawn),
		ranges[0].Until.Sub(dawn)) != "0 3 1ms 3ms" {
		t.Errorf("ranges %+v, %v", ranges, err)
	}
}

// TestTokenWithoutRows verifies that a server that was killed between storing an insert's token and its rows accepts
// the repeated insert, also when it was killed there a second time.
func TestTokenWithoutRows(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	events := numbered("a", 1, 3)
	if err := d.InsertEvents(background, "token", events); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.exec(t, "ALTER TABLE "+d.localTable("events")+" DELETE WHERE spool_number > 1 SETTINGS mutations_sync = 1")
		if err := d.InsertEventsAgain(background, "token", events); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.text(t,
		"SELECT toString(groupArray(spool_number)) FROM (SELECT spool_number FROM events ORDER BY spool_number)"); got != "[1,2,3]" {
		t.Errorf("stored numbers: %s", got)
	}
}

// TestInsertCutShort verifies the same on an engine that is killed: ClickHouse records an insert's token before it
// renames the part.
func TestInsertCutShort(t *testing.T) {
	engine := enginetest.Start(t)
	d := open(t, engine.DSN("hooktape"))
	if _, err := d.Migrate(background); err != nil {
		t.Fatal(err)
	}
	events := numbered("a", 1, 3)
	if err := d.InsertEvents(background, "token", events); err != nil {
		t.Fatal(err)
	}
	part := filepath.Clean(d.text(t, "SELECT path FROM system.parts WHERE active AND table = 'events'"))
	engine.Kill()
	// the state before ClickHouse renames the part
	if err := os.Rename(part, filepath.Join(filepath.Dir(part), "tmp_insert_"+filepath.Base(part))); err != nil {
		t.Fatal(err)
	}
	engine.Restart()
	for range 2 {
		if err := d.InsertEventsAgain(background, "token", events); err != nil {
			t.Fatal(err)
		}
		if n := d.text(t, "SELECT toString(count()) FROM events"); n != "3" {
			t.Errorf("%s events stored, want 3", n)
		}
	}
}
