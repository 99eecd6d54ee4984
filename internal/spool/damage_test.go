package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"hooktape/internal/testutil"
)

// filled returns a spool with 400 records of which 100 are acked, some in tables and some in the log, and the directory
// of its database.
func filled(t *testing.T) (s *Spool, db string) {
	t.Helper()
	s = open(t, t.TempDir(), options(vfs.Default))
	for from := 1; from < 400; from += 100 {
		if from < 300 {
			appendTogether(t, s, numbered(from, from+99)...)
		} else {
			appendAll(t, s, numbered(from, from+99)...)
		}
		if from == 101 {
			ack(t, s, next(t, s, soon(100)))
		}
		if from < 300 {
			if err := s.db.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	next(t, s, soon(50)) // the batch is fixed, and its records are salvaged
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s, filepath.Join(s.dir, dbName)
}

func glob(t *testing.T, pattern ...string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(pattern...))
	if err != nil || len(files) == 0 {
		t.Fatal("no file ", pattern, err)
	}
	slices.Sort(files)
	return files
}

func change(t *testing.T, path string, do func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, do(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func flip(at func(size int) int) func([]byte) []byte {
	return func(data []byte) []byte {
		data[at(len(data))] ^= 0x40
		return data
	}
}

func middle(size int) int { return size / 2 }

func removeAll(t *testing.T, pattern ...string) {
	for _, file := range glob(t, pattern...) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// newestLogFile returns the log with the records 301 to 400.
func newestLogFile(t *testing.T, db string) string {
	logs := glob(t, db, "*.log")
	return logs[len(logs)-1]
}

// TestDamage damages a spool in many ways. It must open nevertheless, report the damage, keep the damaged files, and
// return all other records, as salvaged.
func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		damage  func(t *testing.T, db string)
		minimum int // minimum of records to get, of 300
	}{
		"log: a bit in the middle": {func(t *testing.T, db string) {
			change(t, newestLogFile(t, db), flip(middle))
		}, 290},
		"log: its first byte": {func(t *testing.T, db string) {
			change(t, newestLogFile(t, db), flip(func(int) int { return 0 }))
		}, 290},
		"log: missing": {func(t *testing.T, db string) {
			removeAll(t, db, "*.log")
		}, 200},
		"log: zeros in the middle": {func(t *testing.T, db string) {
			change(t, newestLogFile(t, db), func(data []byte) []byte {
				clear(data[len(data)/2 : len(data)/2+200])
				return data
			})
		}, 290},
		"table: truncated": {func(t *testing.T, db string) {
			change(t, glob(t, db, "*.sst")[1], func(data []byte) []byte { return data[:len(data)/2] })
		}, 200},
		"table: missing": {func(t *testing.T, db string) {
			if err := os.Remove(glob(t, db, "*.sst")[1]); err != nil {
				t.Fatal(err)
			}
		}, 200},
		"tables: all missing": {func(t *testing.T, db string) {
			removeAll(t, db, "*.sst")
		}, 100},
		"logs and tables: all missing": {func(t *testing.T, db string) {
			removeAll(t, db, "*.log")
			removeAll(t, db, "*.sst")
		}, 0},
		"manifest: missing": {func(t *testing.T, db string) {
			removeAll(t, db, "MANIFEST-*")
		}, 300},
		"manifest: a bit": {func(t *testing.T, db string) {
			for _, file := range glob(t, db, "MANIFEST-*") {
				change(t, file, flip(func(size int) int { return 20 }))
			}
		}, 300},
		"manifest: empty": {func(t *testing.T, db string) {
			for _, file := range glob(t, db, "MANIFEST-*") {
				change(t, file, func([]byte) []byte { return nil })
			}
		}, 300},
		"marker of the manifest: missing": {func(t *testing.T, db string) {
			removeAll(t, db, "marker.manifest.*")
		}, 300},
		"marker of the format: missing": {func(t *testing.T, db string) {
			removeAll(t, db, "marker.format-version.*")
		}, 300},
		"options: garbage": {func(t *testing.T, db string) {
			for _, file := range glob(t, db, "OPTIONS-*") {
				change(t, file, func([]byte) []byte {
					return []byte("[Version]\n  pebble_version=9\n[Options]\n  comparer=other\n")
				})
			}
		}, 300},
		"every file garbage": {func(t *testing.T, db string) {
			for _, file := range glob(t, db, "*") {
				change(t, file, func(data []byte) []byte {
					for i := range data {
						data[i] = byte(i * 7)
					}
					return data
				})
			}
		}, 0},
		"every file missing": {func(t *testing.T, db string) { removeAll(t, db, "*") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			was, db := filled(t)
			c.damage(t, db)
			if _, err := Inspect(was.dir); !errors.As(err, new(*CorruptionError)) {
				t.Fatalf("Inspect returned %v", err)
			}
			s := open(t, was.dir, was.opts)

			damaged := s.Stat().Damaged
			if len(damaged) != 1 {
				t.Fatalf("damage %+v", damaged)
			}
			d := damaged[0]
			if d.Reason == "" || d.Found.IsZero() || d.Salvaged > s.Stat().Records ||
				d.Salvaged+d.Lost < s.Stat().Records {
				t.Fatalf("damage %+v, stat %+v", d, s.Stat())
			}
			if info, err := os.Stat(d.Path); err != nil || !info.IsDir() || filepath.Dir(d.Path) != s.dir {
				t.Fatalf("quarantined: %v", err)
			}
			if s.ID() == was.ID() {
				t.Fatal("the spool kept its old id")
			}

			appendAll(t, s, "new")
			seen := map[string]int{}
			last := ""
			salvaged := uint64(0)
			for s.Stat().Records > 0 {
				b := next(t, s, soon(64))
				for _, r := range texts(b) {
					if b.Salvaged == (r == "new") {
						t.Fatalf("%s: salvaged %v", r, b.Salvaged)
					}
					if b.Salvaged {
						salvaged++
						if r <= last {
							t.Fatalf("%s after %s", r, last)
						}
						last = r
					}
					seen[r]++
				}
				ack(t, s, b)
			}
			if seen["new"] != 1 || salvaged != d.Salvaged {
				t.Fatalf("got the records %v, damage %+v", seen, d)
			}
			found := 0
			for _, r := range numbered(101, 400) {
				found += seen[r]
			}
			if found < c.minimum {
				t.Fatalf("got %d records, want %d; %+v", found, c.minimum, d)
			}
			tail, err := readTail(vfs.Default, d.Path)
			if known := err == nil && tail.log > 0; known && found+int(d.Lost) != 300 {
				t.Fatalf("got %d of 300 records; %+v", found, d)
			}
			t.Logf("%d of 300; salvaged %d, lost %d, unreadable %q; %s", found, d.Salvaged, d.Lost, d.Unreadable,
				d.Reason)

			s = reopen(t, s)
			if st := s.Stat(); len(st.Damaged) != 1 || st.Damaged[0].Reason != d.Reason || st.Records != 0 {
				t.Fatalf("after another start: %+v", st)
			}
		})
	}
}

// filledTable returns a spool with 3000 records, of which 2999 are in one large table with a damaged block in its
// middle.
func filledTable(t *testing.T) (s *Spool, records []string) {
	t.Helper()
	s = open(t, t.TempDir(), options(vfs.Default))
	for i := range 2999 {
		records = append(records, fmt.Sprintf("%04d %s", i, body(uint64(i))))
	}
	appendTogether(t, s, records...)
	if err := s.db.Flush(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, "the last")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, file := range glob(t, s.dir, dbName, "*.sst") {
		change(t, file, func(data []byte) []byte {
			if len(data) > 100_000 { // other tables have no records
				data = flip(middle)(data)
			}
			return data
		})
	}
	return s, append(records, "the last")
}

// TestDamageMetByNext verifies that damage found only by a read is salvaged while the spool runs and accepts records.
func TestDamageMetByNext(t *testing.T) {
	was, records := filledTable(t)
	s := open(t, was.dir, was.opts)
	if d := s.Stat().Damaged; len(d) > 0 {
		t.Fatalf("the damage was found at the start: %+v", d)
	}
	old := s.ID()
	stop, appended := make(chan struct{}), make(chan []string)
	go func() {
		var list []string
		defer func() { appended <- list }()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			r := fmt.Sprintf("meanwhile %d", n)
			if err := s.Append(context.Background(), []byte(r)); err != nil {
				t.Errorf("append: %v", err)
				return
			}
			list = append(list, r)
		}
	}()
	b := next(t, s, soon(5000))
	if !b.Salvaged || b.Spool == old || s.ID() == old {
		t.Errorf("salvaged %v, the spool's id was %s and is now %s", b.Salvaged, old, s.ID())
	}
	got := texts(b)
	ack(t, s, b)
	appendAll(t, s, "goes on")
	close(stop)
	want := append(records, "goes on")
	want = append(want, <-appended...)
	got = append(got, drain(t, s)...)
	d := s.Stat().Damaged
	if len(d) != 1 || d[0].Lost == 0 || d[0].Lost > 100 || len(got)+int(d[0].Lost) != len(want) {
		t.Fatalf("got %d of %d records; %+v", len(got), len(want), d)
	}
	for _, r := range got {
		if count(got, r) != 1 || !slices.Contains(want, r) {
			t.Fatalf("got %.20q %d times", r, count(got, r))
		}
	}
	s = reopen(t, s)
	if d := s.Stat().Damaged; len(d) != 1 || s.Stat().Records != 0 {
		t.Fatalf("after another start: %+v", s.Stat())
	}
}

// TestDamageThatCannotBeSalvagedNow verifies that a spool without space for the copy accepts records, and that the
// drain continues on its own once there is space.
func TestDamageThatCannotBeSalvagedNow(t *testing.T) {
	was, records := filledTable(t)
	disk := &diskOf{FS: vfs.Default}
	disk.free.Store(1000)
	o := options(disk)
	var log testutil.Log
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := open(t, was.dir, o)
	sink := &pickySink{tokens: map[string]bool{}}
	d := NewDrain(s, sink, soon(5000), o.Logger)
	d.readPause = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	eventually(t, "the drain reports its failure", func() bool { return errors.As(d.Failing(), new(*CorruptionError)) })
	appendAll(t, s, "taken")
	if err := s.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	if !strings.Contains(log.String(), "level=ERROR msg=\"the spool cannot be read") {
		t.Errorf("got the log\n%s", log.String())
	}
	disk.free.Store(1 << 40)
	eventually(t, "all records are stored", func() bool { return s.Stat().Records == 0 })
	eventually(t, "the drain has recovered", func() bool { return d.Failing() == nil })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if n := len(sink.stored); n < len(records)-100 || !slices.Contains(sink.stored, "taken") {
		t.Errorf("%d of %d records stored", n, len(records)+1)
	}
}

// TestDamageSurvivesRestart verifies that damage that could not be salvaged is salvaged after a restart, when there is
// space for the copy.
func TestDamageSurvivesRestart(t *testing.T) {
	was, records := filledTable(t)
	disk := &diskOf{FS: vfs.Default}
	disk.free.Store(1000)
	s := open(t, was.dir, options(disk))
	if _, err := s.Next(t.Context(), soon(5000)); !errors.As(err, new(*CorruptionError)) {
		t.Fatalf("Next returned %v", err)
	}
	_ = s.Close() // its compactions may have failed
	s = open(t, was.dir, was.opts)
	got := drain(t, s)
	if d := s.Stat().Damaged; len(d) != 1 || d[0].Lost == 0 || len(got)+int(d[0].Lost) != len(records) {
		t.Fatalf("got %d of %d records; %+v", len(got), len(records), d)
	}
}

// TestDamageMetByACompaction verifies that damage found by Pebble in the background is salvaged, too.
func TestDamageMetByACompaction(t *testing.T) {
	was, _ := filledTable(t)
	s := open(t, was.dir, was.opts)
	if err := s.db.Compact(t.Context(), recordKey(0), append(stateKey, 0), false); err == nil {
		t.Fatal("the compaction succeeded")
	}
	appendAll(t, s, "new")
	got := drain(t, s)
	if d := s.Stat().Damaged; len(d) != 1 || len(got)+int(d[0].Lost) != 3001 || got[len(got)-1] != "new" {
		t.Fatalf("%d records; %+v", len(got), d)
	}
}

// TestSalvageReadsAroundABadBlock salvages a table with a damaged block when its log no longer exists.
func TestSalvageReadsAroundABadBlock(t *testing.T) {
	s, records := filledTable(t)
	removeAll(t, s.dir, dbName, "*.log")
	s = open(t, s.dir, s.opts)
	d := s.Stat().Damaged[0]
	got := drain(t, s)
	if len(got) < 2900 || len(got) == 3000 || int(d.Lost) != 3000-len(got) {
		t.Fatalf("%d records, %+v", len(got), d)
	}
	for _, r := range got {
		if !slices.Contains(records, r) {
			t.Fatalf("%q was never appended", r)
		}
	}
}

// TestSalvageIsRepeated crashes a salvage at every change of the disk: no record may be lost, and no crash may hide the
// damage.
func TestSalvageIsRepeated(t *testing.T) {
	for stop, done := int64(0), false; !done; stop++ {
		was, db := filled(t)
		removeAll(t, db, "marker.manifest.*")

		var disk faults
		o := options(disk.fs(vfs.Default))
		var n atomic.Int64
		rule := func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpLock {
				if n.Add(1) > stop*13 {
					return syscall.EROFS
				}
			}
			return nil
		}
		disk.rule.Store(&rule)
		s, err := Open(was.dir, o)
		if err == nil {
			done = true
			s.Close()
		}
		disk.heal()
		s = open(t, was.dir, was.opts)
		if len(s.Stat().Damaged) == 0 {
			t.Fatalf("stopped after %d: the damage is forgotten", stop*13)
		}
		if got := drain(t, s); !slices.Equal(got, numbered(101, 400)) {
			t.Fatalf("stopped after %d: %d records", stop*13, len(got))
		}
		s.Close()
	}
}

// TestTemporaryErrorIsNotDamage verifies that a spool that cannot be opened because of a temporary error is not opened,
// and that nothing is quarantined.
func TestTemporaryErrorIsNotDamage(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EMFILE, syscall.ENOSPC, syscall.EROFS} {
		was, _ := filled(t)
		var disk faults
		disk.refuse(errno, ".sst", errorfs.OpOpen)
		rule := func(op errorfs.Op) error {
			if op.Kind == errorfs.OpOpen || op.Kind == errorfs.OpCreate {
				return errno
			}
			return nil
		}
		disk.rule.Store(&rule)
		if _, err := Open(was.dir, options(disk.fs(vfs.Default))); !errors.Is(err, errno) {
			t.Fatalf("%v: Open returned %v", errno, err)
		}
		s := open(t, was.dir, was.opts)
		if d := s.Stat().Damaged; len(d) > 0 {
			t.Fatalf("%v: damage %+v", errno, d)
		}
		if got := drain(t, s); !slices.Equal(got, numbered(101, 400)) {
			t.Fatalf("%v: %d records", errno, len(got))
		}
	}
}

func TestNoRoomToSalvage(t *testing.T) {
	was, db := filled(t)
	removeAll(t, db, "marker.manifest.*")
	disk := &diskOf{FS: vfs.Default}
	disk.free.Store(1000)
	_, err := Open(was.dir, options(disk))
	wantErr(t, err, errNoRoom)
	if !strings.Contains(err.Error(), "database does not exist") {
		t.Errorf("the error %v does not name the damage", err)
	}
	s := open(t, was.dir, was.opts)
	if got := drain(t, s); len(got) != 300 {
		t.Fatalf("got %d records, want 300", len(got))
	}
}

// TestSalvagedRecordsAreNotMixed verifies that a batch never has both salvaged and new records.
func TestSalvagedRecordsAreNotMixed(t *testing.T) {
	was, db := filled(t)
	removeAll(t, db, "marker.manifest.*")
	s := open(t, was.dir, was.opts)
	appendAll(t, s, "new")
	b, err := s.Next(context.Background(), soon(1000))
	if err != nil || !b.Salvaged || len(b.Records) != 300 {
		t.Fatal(len(b.Records), b.Salvaged, err)
	}
}
