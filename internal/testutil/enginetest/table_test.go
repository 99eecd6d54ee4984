package enginetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/testutil"
)

// insertOnce inserts rows with a deduplication token, as the drain does when it repeats an insert.
func insertOnce(t *testing.T, conn driver.Conn, token string, rows ...uint64) {
	t.Helper()
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{
		"insert_deduplication_token": token, "async_insert": 0, "deduplicate_blocks_in_dependent_materialized_views": 1,
	}))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO source")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range rows {
		if err := batch.Append(n); err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}

func TestDeduplication(t *testing.T) {
	conn := open(t)
	mustExec(t, conn,
		"CREATE TABLE source (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = "+
			"100")
	mustExec(t, conn,
		"CREATE TABLE target (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = "+
			"100")
	mustExec(t, conn, "CREATE MATERIALIZED VIEW view TO target AS SELECT n * 2 AS n FROM source")
	insertOnce(t, conn, "spool-1-2", 1, 2)
	insertOnce(t, conn, "spool-1-2", 1, 2)
	// The same rows with another token are different events.
	insertOnce(t, conn, "spool-3-4", 1, 2)
	for _, table := range []string{"source", "target"} {
		if got := one[uint64](t, conn, "SELECT count() FROM "+table); got != 4 {
			t.Errorf("%s has %d rows, want 4: two of each token", table, got)
		}
	}
}

// TestLargeInsert verifies that the engine accepts a body larger than its buffer, with each compression.
func TestLargeInsert(t *testing.T) {
	for _, method := range []clickhouse.CompressionMethod{clickhouse.CompressionNone, clickhouse.CompressionLZ4,
		clickhouse.CompressionZSTD} {
		conn := open(t, func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: method} })
		mustExec(t, conn, "CREATE TABLE large (n UInt64, text String) ENGINE = MergeTree ORDER BY n")
		batch, err := conn.PrepareBatch(context.Background(), "INSERT INTO large")
		if err != nil {
			t.Fatal(err)
		}
		const rows = 9000 // of 1 KiB each
		for n := range uint64(rows) {
			if err := batch.Append(n, strings.Repeat("text", 256)); err != nil {
				t.Fatal(err)
			}
		}
		if err := batch.Send(); err != nil {
			t.Errorf("compressed by %s: %v", method, err)
		} else if got := one[uint64](t, conn, "SELECT count() FROM large WHERE length(text) = 1024"); got != rows {
			t.Errorf("compressed by %s: %d rows, want %d", method, got, rows)
		}
	}
}

// TestBackground verifies that the engine merges parts, removes expired rows and runs mutations in the background, and
// reports them in its system tables.
func TestBackground(t *testing.T) {
	conn := open(t)
	mustExec(t, conn,
		"CREATE TABLE b (n UInt64, at DateTime('UTC')) ENGINE = ReplacingMergeTree ORDER BY n TTL at + INTERVAL 1 DAY"+
			" SETTINGS fsync_after_insert = 1, merge_with_ttl_timeout = 0")
	for range 3 {
		mustExec(t, conn, "INSERT INTO b VALUES (1, now()), (2, now() - INTERVAL 7 DAY)")
	}
	mustExec(t, conn, "OPTIMIZE TABLE b FINAL")
	if got := one[uint64](t, conn, "SELECT count() FROM b"); got != 1 {
		t.Errorf("got %d rows, want 1: merged and expired", got)
	}
	if got := one[uint64](t, conn,
		"SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'b' AND active"); got != 1 {
		t.Errorf("got %d active parts, want 1", got)
	}
	mustExec(t, conn, "CREATE TABLE m (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS merge_selecting_sleep_ms = 100")
	for n := range 12 {
		mustExec(t, conn, "INSERT INTO m VALUES (?)", n)
	}
	testutil.Eventually(t, func() error {
		if one[uint64](t, conn,
			"SELECT count() FROM system.parts WHERE database = currentDatabase() AND table = 'm' AND active") >= 12 {
			return errors.New("no background merge")
		}
		return nil
	})
}
