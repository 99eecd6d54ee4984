package enginetest_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"
)

// TestDatabaseSQL verifies what a migration library needs from database/sql.
func TestDatabaseSQL(t *testing.T) {
	db := openSQL(t)
	ctx := context.Background()
	for _, statement := range []string{
		"CREATE TABLE IF NOT EXISTS versions (version_id Int64, is_applied UInt8, date Date DEFAULT now(), tstamp " +
			"DateTime('UTC')" +
			" DEFAULT now()) ENGINE = MergeTree ORDER BY date",
		"INSERT INTO versions (version_id, is_applied) VALUES (0, 1)",
		"ALTER TABLE versions ADD COLUMN note String DEFAULT 'none'",
		"ALTER TABLE versions DELETE WHERE version_id = 99 SETTINGS mutations_sync = 2",
	} {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO versions (version_id, is_applied) VALUES ($1, $2)", 1,
		1); err != nil {
		t.Fatal(err)
	}
	var version int64
	var at time.Time
	var note string
	if err := db.QueryRowContext(ctx, "SELECT version_id, tstamp, note FROM versions ORDER BY version_id DESC LIMIT 1").
		Scan(&version, &at, &note); err != nil {
		t.Fatal(err)
	}
	if version != 1 || note != "none" || time.Since(at).Abs() > time.Minute {
		t.Errorf("got version %d at %s, note %q", version, at, note)
	}
	err := db.QueryRowContext(ctx, "SELECT version_id FROM versions WHERE version_id = 5").Scan(&version)
	if !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("got error %v, want no rows", err)
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	insert, err := tx.PrepareContext(ctx, "INSERT INTO versions (version_id, is_applied)")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := insert.ExecContext(ctx, int64(2), uint8(1)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	var count int
	if err := db.QueryRowContext(ctx, "SELECT count() FROM versions").Scan(&count); err != nil || count != 3 {
		t.Errorf("got %d rows, %v; want 3", count, err)
	}
}
