package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// Spool is an open spool. Many goroutines may call Append at the same time; Next, Shrink and Ack belong to one.
type Spool struct {
	dir  string
	opts Options
	fs   vfs.FS
	log  *slog.Logger
	now  func() time.Time
	lock io.Closer
	db   *pebble.DB
	disk *diskGauge

	// Flushes of memtables, see awaitFlush.
	unflushed atomic.Int64
	flushed   chan struct{} // has an element after a flush

	damage atomic.Pointer[CorruptionError] // met while running, not yet salvaged
	harmed chan struct{}                   // has an element when damage was met

	// life ends with the first error after which the state of the disk is unknown; that error is its cause.
	life    context.Context
	end     context.CancelCauseFunc
	failing sync.Once   // calls end
	running atomic.Bool // false while the spool is opened or salvaged
	tails   tails
	reserve reserve
	starved rate.Sometimes

	queue   chan *request
	room    *semaphore.Weighted // for queued bytes
	grown   chan struct{}       // has an element when the position has changed
	closing chan struct{}
	stopped chan struct{} // the committer has ended

	mu          sync.Mutex
	pos         position // durable
	quarantined []Damage

	reading sync.RWMutex // held by readers of the database, and while it is replaced
	closed  bool

	closeOnce func() error
}

func newSpool(dir string, o Options) *Spool {
	o.memTable = cmp.Or(o.memTable, defaultMemTable)
	s := &Spool{
		dir:     dir,
		opts:    o,
		fs:      o.FS,
		log:     cmp.Or(o.Logger, slog.Default()),
		now:     time.Now,
		disk:    &diskGauge{fs: o.FS, dir: dir, minFree: uint64(o.MinFree), hold: refusalHold},
		flushed: make(chan struct{}, 1),
		queue:   make(chan *request, maxQueued),
		room:    semaphore.NewWeighted(maxQueuedBytes),
		grown:   make(chan struct{}, 1),
		harmed:  make(chan struct{}, 1),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
		starved: onceAMinute(),
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.closeOnce = sync.OnceValue(s.close)
	return s
}

// ID names this spool among all spools; every token contains it. It changes when the spool is salvaged.
func (s *Spool) ID() string { return s.position().name() }

// Stat describes the spool's content.
type Stat struct {
	Records  uint64    // waiting: appended and not acked; includes numbers lost to damage
	Bytes    uint64    // of the waiting records
	Oldest   time.Time // when the oldest of them was appended; zero when none waits
	Appended uint64    // number of the last record appended
	Acked    uint64    // number of the last record acked
	// Damaged lists the quarantined databases that still lie beside this one, until an operator removes them.
	Damaged []Damage
}

// Stat describes the waiting records.
func (s *Spool) Stat() Stat {
	s.mu.Lock()
	pos, damaged := s.pos, s.quarantined
	s.mu.Unlock()
	st := pos.stat()
	st.Damaged = damaged
	// During a salvage nothing can be read; Stat does not wait for its end.
	if pos.waiting() > 0 && s.reading.TryRLock() {
		defer s.reading.RUnlock()
		st.Oldest, _ = s.appendedAt(pos) // Next reports unreadable records
	}
	return st
}

// usualRecord is the size of a record that Ready asks for.
const usualRecord = 64 << 10

// Ready returns nil when a record of usual size would be accepted now, and
// why not otherwise: a spool with less room refuses nearly everything.
func (s *Spool) Ready() error {
	err := s.admit(int(min(usualRecord, s.opts.MaxBytes/16)))
	if err == nil && !s.running.Load() {
		err = ErrSalvaging
	}
	return err
}

// Failed is closed when the spool has failed permanently: Err returns why, and the spool must be opened again.
func (s *Spool) Failed() <-chan struct{} { return s.life.Done() }

// Err returns why the spool has failed permanently, or nil.
func (s *Spool) Err() error { return s.failure() }

func (s *Spool) failure() error { return context.Cause(s.life) }

// fail makes the spool refuse everything from now on. Only the first cause counts, and only it is logged.
func (s *Spool) fail(cause error) error {
	s.failing.Do(func() {
		s.log.Error("spool failed: nothing is accepted until it is opened again",
			"path", s.dir, "error", cause)
		s.end(fmt.Errorf("%w: %s: %w", ErrFailed, s.dir, cause))
	})
	return s.failure()
}

// Close ends the spool. It may be called more than once.
func (s *Spool) Close() error { return s.closeOnce() }

func (s *Spool) close() error {
	// 1. Accept nothing more.
	close(s.closing)
	// 2. Commit what waits.
	<-s.stopped
	// 3. Let readers finish, and admit no more.
	s.reading.Lock()
	s.closed = true
	s.reading.Unlock()
	// 4. Close the database, then unlock the directory.
	err := s.closeDB(s.db)
	if err == nil && s.failure() == nil {
		err = s.writeLastTail()
	}
	s.reserve.close()
	return errors.Join(err, s.lock.Close())
}

// closeDB closes a database and waits for its tails.
func (s *Spool) closeDB(db *pebble.DB) error {
	err := db.Close()
	s.tails.writing.Wait()
	s.tails.mu.Lock()
	defer s.tails.mu.Unlock()
	s.tails.newest = 0
	return err
}

// writeLastTail records that nothing follows the position.
func (s *Spool) writeLastTail() error {
	db, pos := s.path(dbName), s.position()
	log, err := newestLog(s.fs, db)
	if err != nil {
		return err
	}
	return writeTail(s.fs, db, tail{log: log, last: pos.last, acked: pos.acked, closed: true, id: pos.id})
}
