package enginetest_test

import (
	"context"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/testutil/enginetest"
)

// TestKill kills the engine during inserts and verifies that every acknowledged row and every deduplication token has
// survived.
func TestKill(t *testing.T) {
	engine := enginetest.Start(t)
	conn := openDSN(t, engine.DSN("default"))
	mustExec(t, conn, "CREATE TABLE source (n UInt64) ENGINE = MergeTree ORDER BY n"+
		" SETTINGS fsync_after_insert = 1, non_replicated_deduplication_window = 100")
	insertOnce(t, conn, "first", 1_000_000)
	acknowledged, killed := make(chan uint64), make(chan struct{})
	go func() {
		defer close(acknowledged)
		for n := uint64(0); conn.Exec(context.Background(), "INSERT INTO source VALUES (?)", n) == nil; n++ {
			acknowledged <- n
		}
	}()
	var last uint64
	for n := range acknowledged {
		if last = n; n == 30 {
			go func() { engine.Kill(); close(killed) }()
		}
	}
	<-killed
	engine.Restart()
	conn = openDSN(t, engine.DSN("default"))
	if got := one[uint64](t, conn, "SELECT count() FROM source WHERE n <= ?", last); got != last+1 {
		t.Errorf("%d of %d acknowledged rows survived", got, last+1)
	}
	insertOnce(t, conn, "first", 1_000_000)
	if got := one[uint64](t, conn, "SELECT count() FROM source WHERE n = 1000000"); got != 1 {
		t.Errorf("a batch repeated after the kill is stored %d times", got)
	}
}

// TestRestart verifies that settings and views survive a stop and a kill.
func TestRestart(t *testing.T) {
	engine := enginetest.Start(t)
	conn := openDSN(t, engine.DSN("default"))
	mustExec(t, conn, "CREATE DATABASE hooktape")
	mustExec(t, conn, "CREATE TABLE hooktape.events (n UInt64) ENGINE = MergeTree ORDER BY n")
	mustExec(t, conn, "INSERT INTO hooktape.events VALUES (1)")
	engine.Kill()
	if err := conn.Ping(context.Background()); err == nil {
		t.Error("a killed engine answers")
	}
	engine.Restart()
	conn = openDSN(t, engine.DSN("hooktape"), func(o *clickhouse.Options) { o.MaxOpenConns = 1 })
	if got := one[uint64](t, conn, "SELECT count() FROM events"); got != 1 {
		t.Errorf("got %d rows after the restart, want 1", got)
	}
}
