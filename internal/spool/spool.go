package spool

import (
	"cmp"
	"context"
	"errors"
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

// Spool is an open spool. Append may be called by many goroutines at once;
// Next, Shrink and Ack by one.
type Spool struct {
	dir  string
	opts Options
	fs   vfs.FS // the disk, patiently
	log  *slog.Logger
	now  func() time.Time
	lock io.Closer
	db   *pebble.DB
	disk *diskGauge
	flow *flow

	damage atomic.Pointer[CorruptionError] // met while running, not yet salvaged
	harmed chan struct{}                   // has an element when damage was met

	// life ends with the first error after which nobody can say what the disk holds; that is its cause.
	life    context.Context
	end     context.CancelCauseFunc
	failing sync.Once   // calls end
	running atomic.Bool // Open is through
	tails   sync.WaitGroup
	tailing sync.Mutex
	newest  uint64 // log of the last tail; tailing guards it
	reserve reserve
	starved rate.Sometimes

	queue    chan *request
	room     *semaphore.Weighted // for queued bytes
	building sync.Mutex
	grown    chan struct{} // the position has changed
	closing  chan struct{}
	stopped  chan struct{} // the committer has ended

	mu          sync.Mutex
	pos         position // durable
	quarantined []Damage

	reading sync.RWMutex // held by those who read the database, and by its replacement
	closed  bool

	closeOnce func() error
}

func newSpool(dir string, o Options) *Spool {
	o.memTable = cmp.Or(o.memTable, defaultMemTable)
	s := &Spool{
		dir:     dir,
		opts:    o,
		log:     o.Logger,
		now:     time.Now,
		disk:    &diskGauge{fs: o.FS, dir: dir, minFree: uint64(o.MinFree), hold: noSpaceHold},
		flow:    newFlow(),
		queue:   make(chan *request, maxQueued),
		room:    semaphore.NewWeighted(maxQueuedBytes),
		grown:   make(chan struct{}, 1),
		harmed:  make(chan struct{}, 1),
		closing: make(chan struct{}),
		stopped: make(chan struct{}),
	}
	s.life, s.end = context.WithCancelCause(context.Background())
	s.closeOnce = sync.OnceValue(s.close)
	s.fs = patientFS{o.FS, s}
	s.reserve.size, s.starved = reserveSize, rate.Sometimes{First: 1, Interval: time.Minute}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s
}

// ID names this spool among all spools; it is in every token. It changes
// when the spool is salvaged.
func (s *Spool) ID() string { return s.position().name() }

// Stat is what the spool holds.
type Stat struct {
	Records  uint64    // waiting, that is appended and not acked; numbers lost to damage count as well
	Bytes    uint64    // of the waiting records
	Oldest   time.Time // when the oldest of them was appended; zero when none waits
	Appended uint64    // number of the last record appended
	Acked    uint64    // number of the last record acked
	// Damaged lists the damaged spools that were set aside and still lie
	// beside this one, for somebody to look at and remove.
	Damaged []Damage
}

// Stat counts what waits.
func (s *Spool) Stat() Stat {
	s.mu.Lock()
	pos, damaged := s.pos, s.quarantined
	s.mu.Unlock()
	st := pos.stat()
	st.Damaged = damaged
	// While the spool is salvaged nothing can be read, and nobody need wait.
	if pos.waiting() > 0 && s.reading.TryRLock() {
		defer s.reading.RUnlock()
		// What cannot be read is Next's to report.
		st.Oldest, _ = s.appendedAt(pos)
	}
	return st
}

// Ready returns nil when a record of usual size would be accepted now, else
// why not: a spool with less room than that refuses nearly everything.
func (s *Spool) Ready() error {
	err := s.admit(int(min(usualRecord, s.opts.MaxBytes/16)))
	if err == nil && !s.running.Load() {
		err = ErrSalvaging
	}
	return err
}

// Failed is closed when the spool has failed for good: then Err says why, and
// only to open it again helps.
func (s *Spool) Failed() <-chan struct{} { return s.life.Done() }

// Err returns why the spool has failed for good, nil while it has not.
func (s *Spool) Err() error { return s.failure() }

const usualRecord = 64 << 10

// Close ends the spool. It may be called more than once.
func (s *Spool) Close() error { return s.closeOnce() }

func (s *Spool) close() error {
	// 1. Accept nothing more.
	close(s.closing)
	// 2. Commit what waits.
	<-s.stopped
	// 3. Let readers finish, and no others begin.
	s.reading.Lock()
	s.closed = true
	s.reading.Unlock()
	// 4. Close the database, then give the directory free.
	err := s.closeDB(s.db)
	if err == nil && s.failure() == nil {
		err = s.endTail()
	}
	s.reserve.close()
	return errors.Join(err, s.lock.Close())
}

// closeDB closes a database, and waits for what is still written beside it.
func (s *Spool) closeDB(db *pebble.DB) error {
	err := db.Close()
	s.tails.Wait()
	s.tailing.Lock()
	defer s.tailing.Unlock()
	s.newest = 0
	return err
}

// endTail writes that nothing comes after the position.
func (s *Spool) endTail() error {
	db, pos := s.path(dbName), s.position()
	log, err := newestLog(s.fs, db)
	if err != nil {
		return err
	}
	return writeTail(s.fs, db, tail{log: log, last: pos.last, acked: pos.acked, closed: true, id: pos.id})
}
