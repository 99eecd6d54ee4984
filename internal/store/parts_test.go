package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// TestDamagedParts flips a bit in one of three parts and truncates another. DamagedParts must report each with its
// table and path: first as an unreadable part, and after a restart, when ClickHouse has detached it, as a detached one.
// The remedy in the report must resolve it.
func TestDamagedParts(t *testing.T) {
	engine := enginetest.Start(t)
	d := open(t, engine.DSN("hooktape"))
	if _, err := d.Migrate(background); err != nil {
		t.Fatal(err)
	}
	d.exec(t, "SYSTEM STOP MERGES")
	var paths []string
	for n := range 3 {
		if err := d.InsertEvents(background, "", []event.Event{eventAt(dawn, 10*n+1),
			eventAt(dawn, 10*n+2)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.conn.QueryRow(background,
		"SELECT groupArray(path) FROM (SELECT path FROM system.parts WHERE active AND table = 'events' ORDER BY "+
			"min_block_number)").Scan(&paths); err != nil {
		t.Fatal(err)
	}
	find := func(since time.Time) []store.DamagedPart {
		t.Helper()
		damaged, err := d.CheckParts(background, since, nil)
		if err != nil {
			t.Fatal(err)
		}
		detached, err := d.DetachedParts(background)
		if err != nil {
			t.Fatal(err)
		}
		return append(damaged, detached...)
	}
	if found := find(time.Time{}); len(found) != 0 {
		t.Errorf("found %v before any damage", found)
	}
	flip(t, filepath.Join(paths[0], "data.bin"))
	found := find(time.Time{})
	if len(found) != 1 || found[0].Path != paths[0] || found[0].Table != "events" || found[0].Detached ||
		found[0].Reason == "" {
		t.Fatalf("found %+v, want the part in %s", found, paths[0])
	}
	if found := find(time.Now().Add(time.Hour)); len(found) != 0 {
		t.Errorf("found %v among healthy parts", found)
	}
	d.exec(t, found[0].Remedy()[len(found[0].Remedy())-len("ALTER TABLE `events` DROP PART '"+found[0].Part+"'"):])
	if found := find(time.Time{}); len(found) != 0 {
		t.Errorf("found %v after the remedy", found)
	}

	engine.Stop()
	data := filepath.Join(paths[1], "data.bin")
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(data, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	engine.Restart()
	d = open(t, engine.DSN("hooktape"))
	found = find(time.Time{})
	if len(found) != 1 || !found[0].Detached || found[0].Table != "events" || found[0].Reason != "broken-on-start" {
		t.Fatalf("found %+v, want the part in %s, detached", found, paths[1])
	}
	if _, err := os.Stat(filepath.Join(found[0].Path, "data.bin")); err != nil {
		t.Errorf("the detached part is not at the reported path: %v", err)
	}
	statement := "ALTER TABLE `events` DROP DETACHED PART '" + found[0].Part + "' SETTINGS allow_drop_detached = 1"
	d.exec(t, found[0].Remedy()[len(found[0].Remedy())-len(statement):])
	if found := find(time.Time{}); len(found) != 0 {
		t.Errorf("found %v after the remedy", found)
	}
	if n := d.text(t, "SELECT toString(count()) FROM events"); n != "2" {
		t.Errorf("%s events left, want the 2 of the intact part", n)
	}
}

// flip flips one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
