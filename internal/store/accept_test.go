package store_test

import (
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/store"
)

// TestLostAfterItsToken verifies that a quarantined event and an accepted one are stored when they are sent again, after
// a server that remembers the first insert has lost its rows.
func TestLostAfterItsToken(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	e := eventAt(dawn, 1)
	e.Acceptance = event.Acceptance{By: "anna", At: dawn, Was: event.BadToken}
	q := store.Quarantined{ID: e.ID, ReceivedAt: dawn, Source: "demo", Error: "x", Record: []byte("record")}
	for round, want := range []bool{true, false} {
		if fresh, err := d.AcceptEvent(background, e); err != nil || fresh != want {
			t.Fatalf("round %d: accepted %v, %v", round, fresh, err)
		}
		if err := d.InsertQuarantine(background, q); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"events", "quarantine"} {
		d.exec(t, "ALTER TABLE "+d.localTable(table)+" DELETE WHERE 1 SETTINGS mutations_sync = 2")
	}
	if fresh, err := d.AcceptEvent(background, e); err != nil || !fresh {
		t.Errorf("after the loss: accepted %v, %v", fresh, err)
	}
	if err := d.InsertQuarantine(background, q); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"events", "quarantine"} {
		if n := d.text(t, "SELECT toString(count()) FROM "+table); n != "1" {
			t.Errorf("the table %s has %s rows, want 1", table, n)
		}
	}
}
