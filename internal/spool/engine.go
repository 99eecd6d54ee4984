package spool

import (
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// format is the newest that writes, into each piece of the log, how far the
// log was synced before it.
const format = pebble.FormatValueSeparation

// engineOptions makes Pebble small: it holds a queue, not a database. at is
// what the database's tail may say when a log begins.
func (s *Spool) engineOptions(at func() position) *pebble.Options {
	o := &pebble.Options{
		FS:                 guardFS{s.fs, s, at},
		Logger:             engineLogger{s},
		EventListener:      s.listener(),
		FormatMajorVersion: format,
		ErrorIfNotExists:   true,
		CacheSize:          8 << 20,
		MemTableSize:       s.opts.memTable,
		// See flow.
		MemTableStopWritesThreshold: memTableLimit,
		L0StopWritesThreshold:       level0Limit,
		MaxOpenFiles:                s.opts.MaxOpenFiles,
		// Acked records give their space back also when nothing follows.
		FlushDelayDeleteRange:      5 * time.Second,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	return o
}

// listener hears of the errors that Pebble meets in the background. Pebble
// holds its own locks while it calls: nothing here may call it.
func (s *Spool) listener() *pebble.EventListener {
	return &pebble.EventListener{
		WALCreated: func(info pebble.WALCreateInfo) {
			if info.Err == nil {
				s.flow.rotated()
			}
		},
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err == nil {
				s.flow.flushedSome(info.Input)
			}
		},
		BackgroundError: func(err error) {
			switch {
			case s.failure() != nil:
				return
			case pebble.IsCorruptionError(err):
				_ = s.corrupt(err)
			default:
				s.log.Error("spool: trouble in the background", "path", s.dir, "error", err)
			}
			// Pebble repeats at once what failed; this is its only brake.
			time.Sleep(retryPause)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			_ = s.corrupt(&CorruptionError{Path: info.Path, Err: info.Details})
		},
	}
}

const retryPause = 200 * time.Millisecond
