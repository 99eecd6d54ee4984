package spool

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// reuses counts the files that are written over.
type reuses struct {
	vfs.FS
	n *atomic.Int64
}

func (r reuses) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	r.n.Add(1)
	return r.FS.ReuseForWrite(from, to, c)
}

// TestNoOldBytesInLogs: no log is written over an older one. The content of old records, which senders choose, would lie
// behind the end of the newer log.
func TestNoOldBytesInLogs(t *testing.T) {
	var n atomic.Int64
	o := DefaultOptions()
	o.FS, o.MinFree, o.memTable, o.Logger = reuses{vfs.NewMem(), &n}, 0, 64<<10, slog.New(slog.DiscardHandler)
	s, err := Open("/spool", o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range 2000 { // many logs, most of them obsolete soon
		if err := s.Append(context.Background(), make([]byte, 3000)); err != nil {
			t.Fatal(err)
		}
	}
	if n.Load() > 0 {
		t.Errorf("%d logs were written over older ones", n.Load())
	}
}
