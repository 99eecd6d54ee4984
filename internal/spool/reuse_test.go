package spool

import (
	"context"
	"log/slog"
	"sync/atomic"
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
