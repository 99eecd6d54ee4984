package spool

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// format is the newest one. It writes into each chunk of the log how far the log was synced before.
const format = pebble.FormatValueSeparation

// Pebble's limits for unflushed memtables and unmerged tables, out of reach: see awaitFlush.
const (
	memTableLimit = 16
	level0Limit   = 1000
)

// engineOptions keeps Pebble small, because it holds a queue and not a
// database. at returns the position for the tail when a log begins.
func (s *Spool) engineOptions(at func() position) *pebble.Options {
	o := &pebble.Options{
		FS:                          guardFS{s.fs, s, at},
		Logger:                      engineLogger{s},
		EventListener:               s.listener(),
		FormatMajorVersion:          format,
		ErrorIfNotExists:            true,
		CacheSize:                   8 << 20,
		MemTableSize:                s.opts.memTable,
		MemTableStopWritesThreshold: memTableLimit,
		L0StopWritesThreshold:       level0Limit,
		MaxOpenFiles:                s.opts.MaxOpenFiles,
		// The space of acked records is freed even when nothing follows.
		FlushDelayDeleteRange:      5 * time.Second,
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	return o
}

// openEngine opens a database. Some damage makes Pebble panic.
func openEngine(dir string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while opening: %v", p)
		}
	}()
	return pebble.Open(dir, o)
}

// retryPause slows Pebble down, which repeats a failed flush or compaction immediately.
const retryPause = 200 * time.Millisecond

// listener receives flushes and the errors that Pebble meets in the background. Pebble holds its own locks meanwhile,
// so nothing here may call it.
func (s *Spool) listener() *pebble.EventListener {
	return &pebble.EventListener{
		WALCreated: func(info pebble.WALCreateInfo) {
			if info.Err == nil {
				s.unflushed.Add(1)
			}
		},
		FlushEnd: func(info pebble.FlushInfo) {
			if info.Err != nil {
				return
			}
			s.unflushed.Add(-int64(info.Input))
			select {
			case s.flushed <- struct{}{}:
			default:
			}
		},
		BackgroundError: func(err error) {
			switch {
			case s.failure() != nil:
				return
			case pebble.IsCorruptionError(err):
				_ = s.corrupt(err)
			default:
				s.log.Error("spool: an operation in the background failed", "path", s.dir, "error", err)
			}
			time.Sleep(retryPause)
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			_ = s.corrupt(&CorruptionError{Path: info.Path, Err: info.Details})
		},
	}
}

// engineLogger receives Pebble's log lines. Pebble reports a commit or a manifest that could not be written through
// Fatalf alone, and expects the process to end; here the spool fails instead.
type engineLogger struct{ s *Spool }

func (l engineLogger) Infof(format string, args ...any) {
	if l.s.log.Enabled(context.Background(), slog.LevelDebug) {
		l.s.log.Debug(fmt.Sprintf(format, args...))
	}
}

func (l engineLogger) Errorf(format string, args ...any) {
	l.s.log.Warn(fmt.Sprintf(format, args...), "path", l.s.dir)
}

func (l engineLogger) Fatalf(format string, args ...any) {
	// Keep the error itself, for errors.Is and its errno.
	for _, a := range args {
		if err, ok := a.(error); ok {
			_ = l.s.fail(err)
			return
		}
	}
	_ = l.s.fail(fmt.Errorf(format, args...))
}
