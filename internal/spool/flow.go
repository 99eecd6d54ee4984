package spool

import "sync/atomic"

// Pebble makes a writer wait when flushes fall behind, for as long as it
// takes, even for ever when the disk is full or has failed. Its own limits
// are therefore set out of reach, and the committer waits here, where it
// hears of failure and of Close.
const (
	maxUnflushed  = 3 // memtables
	memTableLimit = 16
	level0Limit   = 1000
)

// flow counts the memtables that are not yet flushed. Each begins with a new
// log; none is empty when it is flushed, which Pebble would report like an
// error.
type flow struct {
	unflushed atomic.Int64
	flushed   chan struct{} // has an element after a flush
}

func newFlow() *flow { return &flow{flushed: make(chan struct{}, 1)} }

func (f *flow) rotated() { f.unflushed.Add(1) }

func (f *flow) flushedSome(memTables int) {
	f.unflushed.Add(-int64(memTables))
	select {
	case f.flushed <- struct{}{}:
	default:
	}
}

// awaitFlush returns when there is room in memory for a commit, or when it
// does not matter any more.
func (s *Spool) awaitFlush() {
	for s.flow.unflushed.Load() > maxUnflushed && s.memory() > maxUnflushed*s.opts.memTable {
		select {
		case <-s.flow.flushed:
		case <-s.life.Done():
			return
		case <-s.closing:
			return
		}
	}
}

// memory is the size of all memtables. The first ones are small, and Pebble
// flushes none before they are large together: their number alone says little.
func (s *Spool) memory() uint64 { return s.db.Metrics().MemTable.Size }
