package spool

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"hooktape/internal/testutil"
)

// usedSpool returns the files of a spool after a day of use, with several flushes and compactions, acks, and records in
// tables and in the log: as a kill leaves them, and as closing the spool leaves them.
func usedSpool(t *testing.T) (killed, closed testutil.Files, records []string) {
	t.Helper()
	o := options(vfs.Default)
	o.memTable = 64 << 10
	s := open(t, t.TempDir(), o)
	var all []string
	for i := range 1600 {
		all = append(all, fmt.Sprintf("%05d %s", i, body(uint64(i))))
	}
	acked := 0
	for len(all)-acked > 0 && s.Stat().Appended < uint64(len(all)) {
		from := int(s.Stat().Appended)
		appendTogether(t, s, all[from:from+50]...)
		if from%200 == 150 && acked < 600 {
			b := next(t, s, soon(80))
			acked += len(b.Records)
			ack(t, s, b)
		}
		if from == 800 {
			if err := s.db.Compact(t.Context(), recordKey(0), append(stateKey, 0), false); err != nil {
				t.Fatal(err)
			}
		}
	}
	all = append(all, "behind the last flush", "the last")
	appendAll(t, s, all[len(all)-2], all[len(all)-1])
	next(t, s, soon(30)) // the batch is fixed
	quiet := func() bool { m := s.db.Metrics(); return m.Flush.NumInProgress == 0 && m.Compact.NumInProgress == 0 }
	eventually(t, "no compaction", quiet)
	killed = testutil.KilledFiles(t, s.dir)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if closed, err = testutil.ReadFiles(s.dir); err != nil {
		t.Fatal(err)
	}
	return killed, closed, all[acked:]
}

// mounted returns a disk in memory with the files of the image.
func mounted(t *testing.T, i testutil.Files) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40})
	for name, data := range i {
		file := path.Join("/spool", name)
		if err := fs.MkdirAll(path.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		// With the race detector this file system changes the bytes that it writes.
		if err := writeFile(fs, file, slices.Clone(data)); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// drainDamaged opens a damaged spool, which must succeed, and drains it. It returns the missing records, and whether
// their loss is reported by Stat and in the log.
func drainDamaged(t *testing.T, i testutil.Files, records []string) (missing []string, reported bool) {
	t.Helper()
	var log testutil.Log
	o := options(mounted(t, i))
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
	s, err := Open("/spool", o)
	if err != nil {
		t.Errorf("open: %v", err)
		return nil, false
	}
	defer s.Close()
	appendAll(t, s, "new")
	ctx, cancel := context.WithTimeout(t.Context(), testutil.Patience)
	defer cancel()
	got := map[string]bool{}
	for s.Stat().Records > 0 {
		b, err := s.Next(ctx, soon(500))
		if err != nil {
			t.Errorf("next: %v", err)
			return nil, false
		}
		for _, r := range texts(b) {
			got[r] = true
		}
		ack(t, s, b)
	}
	if !got["new"] {
		t.Error("a record appended after the damage is lost")
	}
	for _, r := range records {
		if !got[r] {
			missing = append(missing, r)
		}
	}
	if !strings.Contains(log.String(), "level=ERROR") {
		return missing, false
	}
	t.Logf("%+v", s.Stat().Damaged)
	lost, uncounted := 0, false
	for _, d := range s.Stat().Damaged {
		lost += int(d.Lost)
		uncounted = uncounted || len(d.Unreadable) > 0
	}
	return missing, lost >= len(missing) || uncounted
}

// lossAllowed reports whether a loss cannot be distinguished from a crash: of the end of the newest log of a spool that
// was not closed; for a flipped bit, of its last commit only.
func lossAllowed(killed bool, i testutil.Files, file, how string, missing []string) bool {
	logs := slices.DeleteFunc(i.Names(), func(name string) bool { return path.Ext(name) != ".log" })
	if !killed || file != logs[len(logs)-1] {
		return false
	}
	return strings.HasPrefix(how, "cut") || strings.HasPrefix(how, "bit") && slices.Equal(missing, []string{"the last"})
}

// TestRot flips single bits in every file of a spool, truncates each and removes each. Every record must be returned or
// reported as lost, and the process must survive.
func TestRot(t *testing.T) {
	killed, closed, records := usedSpool(t)
	const flips, cuts = 4, 2
	rng := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	for state, image := range map[string]testutil.Files{"killed": killed, "closed": closed} {
		kinds := map[string]int{}
		for _, name := range image.Names() {
			kinds[testutil.FileKind(name)]++
		}
		t.Logf("%s: %v", state, kinds)
		for _, name := range image.Names() {
			damaged := map[string]testutil.Files{"removed": image.Remove(name)}
			if size := len(image[name]); size > 0 {
				for range max(1, flips/kinds[testutil.FileKind(name)]) {
					bit := rng.IntN(8 * size)
					damaged[fmt.Sprintf("bit %d", bit)] = image.Flip(name, bit)
				}
				for n := range cuts {
					damaged[fmt.Sprintf("cut to %d", size*n/cuts)] = image.Cut(name, size*n/cuts)
				}
			}
			for how, i := range damaged {
				t.Run(fmt.Sprintf("%s/%s/%s", state, name, how), func(t *testing.T) {
					t.Parallel()
					missing, reported := drainDamaged(t, i, records)
					if len(missing) > 0 && !reported && !lossAllowed(state == "killed", image, name, how, missing) {
						t.Errorf("%d of %d records are missing from %.5s on, without a report", len(missing),
							len(records), missing[0])
					}
				})
			}
		}
	}
}

// TestManifestForgets damages the last edit of a manifest. Pebble reads it as an edit that was never written, so it
// forgets the table in it, whose log no longer exists.
func TestManifestForgets(t *testing.T) {
	s := open(t, t.TempDir(), options(vfs.Default))
	records := numbered(1, 100)
	appendAll(t, s, records...)
	s = reopen(t, s) // creates a table from the log
	var image testutil.Files
	eventually(t, "the old log is removed", func() (gone bool) {
		image = testutil.KilledFiles(t, s.dir)
		logs := 0
		for name := range image {
			if testutil.FileKind(name) == "db/#.log" {
				logs++
			}
		}
		return logs == 1
	})
	for name, data := range image {
		if testutil.FileKind(name) != "db/MANIFEST-#" {
			continue
		}
		for _, behind := range []int{1, 5, 20} {
			if missing, _ := drainDamaged(t, image.Flip(name, 8*(len(data)-behind)), records); len(missing) > 0 {
				t.Errorf("a bit %d bytes before the end of the manifest: %d readable records are lost", behind,
					len(missing))
			}
		}
	}
}
