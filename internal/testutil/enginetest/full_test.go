package enginetest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

// writeFailed plus the error number is the exit status of an engine after a failed write.
const writeFailed = 100

// rowBytes is the size of an incompressible row of the tests' tables.
const rowBytes = 1000

// TestMergeOnFullDisk fills the disk during merges. No row may be lost: the engine must exit before it uses an
// incomplete part, and have all rows after a restart, also after it has removed the merged parts.
func TestMergeOnFullDisk(t *testing.T) {
	const parts, rows = 4, 10_000
	dir := t.TempDir()
	disk := testutil.NewDisk(t, dir, 2<<30)
	engine := enginetest.StartIn(t, dir)
	conn := openDSN(t, engine.DSN("default"))
	mustExec(t, conn,
		"CREATE TABLE source (n UInt64, s String CODEC(NONE)) ENGINE = MergeTree ORDER BY n SETTINGS "+
			"old_parts_lifetime = 1,"+
			" max_bytes_to_merge_at_max_space_in_pool = 1, cleanup_delay_period = 1, max_cleanup_delay_period = 1")
	insert := func(n int) {
		mustExec(t, conn, fmt.Sprintf("INSERT INTO source SELECT %d + number, randomString(%d) FROM numbers(%d)",
			n*rows, rowBytes, rows))
	}
	for n := range parts {
		insert(n)
	}
	inserted := uint64(parts)
	struck := 0
	for attempt := 0; struck == 0 && attempt < 10; attempt++ {
		merged := make(chan error, 1)
		go func() {
			merged <- conn.Exec(context.Background(), "OPTIMIZE TABLE source FINAL SETTINGS optimize_throw_if_noop = 1")
		}()
		err := testutil.Poll(time.Minute, func() error {
			files, _ := filepath.Glob(filepath.Join(dir, "store", "*", "*", "tmp_merge_*", "s.bin"))
			if len(files) == 0 && len(merged) == 0 {
				return errors.New("no merge has started")
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.Fill(); err != nil {
			t.Fatal(err)
		}
		err = <-merged
		if err := disk.Free(); err != nil {
			t.Fatal(err)
		}
		if err != nil && conn.Ping(context.Background()) != nil {
			if status := engine.ExitStatus(); status != writeFailed+int(syscall.ENOSPC) {
				t.Fatalf("the engine exited with status %d, want the status of a full disk", status)
			}
			struck++
			engine.Restart()
		}
		if got := one[uint64](t, conn, "SELECT uniqExact(n) + sum(length(s) != ?) FROM source",
			rowBytes); got != inserted*rows {
			t.Fatalf("%d of %d rows are intact after attempt %d", got, inserted*rows, attempt)
		}
		if err == nil { // the merge ended before the disk was full
			insert(int(inserted))
			inserted++
		}
	}
	if struck == 0 {
		t.Fatal("no merge was interrupted")
	}
	mustExec(t, conn, "OPTIMIZE TABLE source FINAL")
	err := testutil.Poll(time.Minute, func() error {
		if old := one[uint64](t, conn,
			"SELECT count() FROM system.parts WHERE table = 'source' AND NOT active"); old > 0 {
			return fmt.Errorf("%d merged parts still exist", old)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := one[uint64](t, conn, "SELECT uniqExact(n) + sum(length(s) != ?) FROM source",
			rowBytes); got != inserted*rows {
			t.Errorf("%d of %d rows are intact after the removal of the merged parts", got, inserted*rows)
		}
		if got := one[uint64](t, conn, "SELECT count() FROM system.detached_parts"); got != 0 {
			t.Errorf("%d parts were detached", got)
		}
		engine.Stop()
		engine.Restart()
	}
}

// TestStartOnFullDisk verifies that an engine that exited because of a full disk answers queries after a restart on the
// still full disk, and refuses inserts.
func TestStartOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	disk := testutil.NewDisk(t, dir, 200<<20)
	engine := enginetest.StartIn(t, dir)
	conn := openDSN(t, engine.DSN("default"))
	mustExec(t, conn, "CREATE TABLE source (n UInt64) ENGINE = MergeTree ORDER BY n")
	mustExec(t, conn, "INSERT INTO source VALUES (1)")
	if err := disk.Fill(); err != nil {
		t.Fatal(err)
	}
	engine.Kill()
	engine.Restart()
	if got := one[uint64](t, conn, "SELECT count() FROM source"); got != 1 {
		t.Errorf("%d rows, want 1", got)
	}
	err := conn.Exec(context.Background(), "INSERT INTO source VALUES (2)")
	wantCode(t, err, 243)
	if err := disk.Free(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, conn, "INSERT INTO source VALUES (2)")
}

// TestLockOfDyingEngine verifies that an engine starts while a killed one still holds the directory's lock for a
// moment.
func TestLockOfDyingEngine(t *testing.T) {
	dir := t.TempDir()
	lock, err := os.OpenFile(filepath.Join(dir, "hooktape.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var released sync.WaitGroup
	released.Go(func() {
		time.Sleep(500 * time.Millisecond) // long enough for the second engine to try; the test also passes without
		lock.Close()
	})
	engine := enginetest.StartIn(t, dir)
	released.Wait()
	if err := openDSN(t, engine.DSN("default")).Ping(context.Background()); err != nil {
		t.Error(err)
	}
}
