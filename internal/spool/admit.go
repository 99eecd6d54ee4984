package spool

import (
	"fmt"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// sampleEvery is how old a sample of the free disk space may be.
	sampleEvery = 250 * time.Millisecond
	// refusalHold is how long one refusal by the disk counts.
	refusalHold = 5 * time.Second
)

// admit returns nil if a record of n bytes may be appended now, and why not otherwise.
func (s *Spool) admit(n int) error {
	select {
	case <-s.closing:
		return ErrClosed
	default:
	}
	if err := s.failure(); err != nil {
		return err
	}
	if waiting := int64(s.position().waitingBytes()); waiting+int64(n) > s.opts.MaxBytes {
		return fmt.Errorf("%w: %d bytes wait, at most %d may", ErrFull, waiting, s.opts.MaxBytes)
	}
	return s.disk.check(s.now())
}

// diskGauge knows whether the disk has room.
type diskGauge struct {
	fs      vfs.FS
	dir     string
	minFree uint64
	hold    time.Duration // how long a refusal by the disk counts

	mu        sync.Mutex
	sampled   time.Time
	free      uint64
	err       error // of the last sample
	refusal   error // why the disk last refused a table or a file
	refusedAt time.Time
}

// check returns ErrFull when the disk has no room.
func (g *diskGauge) check(now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.minFree > 0 && now.Sub(g.sampled) >= sampleEvery {
		g.sampled = now
		usage, err := g.fs.GetDiskUsage(g.dir)
		g.free, g.err = usage.AvailBytes, err
	}
	switch {
	case g.err != nil:
		return fmt.Errorf("%w: free disk space unknown: %w", ErrFull, g.err)
	case g.free < g.minFree:
		return fmt.Errorf("%w: %d bytes free on disk, at least %d must be", ErrFull, g.free, g.minFree)
	case now.Sub(g.refusedAt) < g.hold:
		return fmt.Errorf("%w: %w", ErrFull, g.refusal)
	}
	return nil
}

// refused notes that the disk had no space for a table, or that no file could be opened. Both are tried again until
// they succeed, so refusals continue for as long as the cause does.
func (g *diskGauge) refused(now time.Time, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusedAt = now
	g.refusal = err
}
