package spool

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// reuses counts the reused files.
type reuses struct {
	vfs.FS
	n *atomic.Int64
}

func (r reuses) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	r.n.Add(1)
	return r.FS.ReuseForWrite(from, to, c)
}

// TestNoOldBytesInLogs verifies that no log reuses an older file: the old records, whose content senders choose, would
// follow the end of the new log.
func TestNoOldBytesInLogs(t *testing.T) {
	var n atomic.Int64
	o := DefaultOptions()
	o.FS = reuses{vfs.NewMem(), &n}
	o.MinFree = 0
	o.memTable = 64 << 10
	o.Logger = slog.New(slog.DiscardHandler)
	s, err := Open("/spool", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2000 { // many logs, most of them soon obsolete
		if err := s.Append(context.Background(), make([]byte, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if n.Load() > 0 {
		t.Errorf("%d logs reused an older file", n.Load())
	}
}

// starved has no descriptor for the first file that is created under a name.
type starved struct {
	vfs.FS
	name  string
	tries *int
}

func (f starved) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if name == f.name {
		if *f.tries++; *f.tries == 1 {
			return nil, syscall.EMFILE
		}
	}
	return f.FS.Create(name, c)
}

// TestReuseWithoutDescriptors verifies that a log replaces an old one although there is no descriptor for it at first.
func TestReuseWithoutDescriptors(t *testing.T) {
	dir, tries := t.TempDir(), 0
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
	s := open(t, filepath.Join(dir, "spool"), options(starved{vfs.Default, fresh, &tries}))
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := guardFS{FS: s.fs, s: s}.ReuseForWrite(old, fresh, vfs.WriteCategoryUnspecified)
	if err != nil || s.failure() != nil || tries != 2 {
		t.Fatalf("%d tries, %v, %v", tries, err, s.failure())
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
