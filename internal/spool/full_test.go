package spool

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestFullByBytes(t *testing.T) {
	o := options(vfs.Default)
	o.MaxBytes = 100
	s := open(t, t.TempDir(), o)
	appendAll(t, s, strings.Repeat("a", 60), strings.Repeat("b", 40))
	err := s.Append(t.Context(), []byte("c"))
	wantErr(t, err, ErrFull)
	if !strings.Contains(err.Error(), "100 bytes wait, at most 100 may") {
		t.Fatal(err)
	}
	s = reopen(t, s)
	wantErr(t, s.Append(t.Context(), []byte("c")), ErrFull)
	ack(t, s, next(t, s, soon(1)))
	appendAll(t, s, strings.Repeat("c", 60))
	wantErr(t, s.Append(t.Context(), []byte("d")), ErrFull)
}

// diskOf is a disk whose free space can be set.
type diskOf struct {
	vfs.FS
	free atomic.Uint64
}

func (d *diskOf) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

func TestFullByDisk(t *testing.T) {
	disk := &diskOf{FS: vfs.Default}
	disk.free.Store(1000)
	o := options(disk)
	o.MinFree = 500
	s := open(t, t.TempDir(), o)
	now := time.Now()
	s.now = func() time.Time { return now }
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	disk.free.Store(499)
	appendAll(t, s, "the figure is not asked for each time")
	now = now.Add(sampleEvery)
	err := s.Append(t.Context(), []byte("a"))
	wantErr(t, err, ErrFull)
	if !strings.Contains(err.Error(), "499 bytes free on disk, at least 500 must be") {
		t.Fatal(err)
	}
	wantErr(t, s.Ready(), ErrFull)

	disk.free.Store(500)
	now = now.Add(sampleEvery)
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, "a")
	if got := drain(t, s); len(got) != 2 {
		t.Fatalf("got the records %q, want two", got)
	}
}
