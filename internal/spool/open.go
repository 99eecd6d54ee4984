package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// What lies in a spool's directory.
const (
	lockName  = "LOCK"
	dbName    = "db"       // the database
	buildName = "db.new"   // one that is being made; worth nothing yet
	readyName = "db.ready" // one that is made, and takes the place of db
)

// Open opens the spool in dir, or makes one there. Damage does not keep it
// from opening: what cannot be used is set aside, see Stat.Damaged.
func Open(dir string, o Options) (*Spool, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := newSpool(dir, o)
	if err := makeDir(o.FS, dir); err != nil {
		return nil, fmt.Errorf("spool: open: %w", err)
	}
	lock, err := lockDir(o.FS, dir)
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("spool: open %s: %w", dir, err), lock.Close())
	}
	s.lock = lock
	s.running.Store(true)
	s.reserve.fill()
	go s.runCommitter()
	return s, nil
}

func lockDir(fs vfs.FS, dir string) (io.Closer, error) {
	lock, err := fs.Lock(fs.PathJoin(dir, lockName))
	if err == nil {
		return lock, nil
	}
	// A file that cannot be made has a path in its error, a lock that is held
	// has none.
	if pe := (*os.PathError)(nil); errors.As(err, &pe) {
		return nil, fmt.Errorf("spool: lock: %w", err)
	}
	return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
}

func (s *Spool) open() error {
	if err := s.tidy(); err != nil {
		return err
	}
	err := s.load()
	if isDamage(err) {
		if failed := s.salvage(err); failed != nil {
			return fmt.Errorf("salvage (%w): %w", err, failed)
		}
		err = s.load()
	}
	if err != nil {
		return err
	}
	if err := s.noteDamage(); err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// tidy finishes what a crash in the middle of Open left undone, and makes the
// database when there is none.
func (s *Spool) tidy() error {
	if err := s.fs.RemoveAll(s.path(buildName)); err != nil {
		return err
	}
	ready, err := exists(s.fs, s.path(readyName))
	if err != nil {
		return err
	}
	db, err := exists(s.fs, s.path(dbName))
	switch {
	case err != nil:
		return err
	case db && !ready:
		return nil
	case !ready:
		s.log.Info("spool: new", "path", s.dir)
		if err := s.makeDB(func(*pebble.DB) (state, error) { return state{}, nil }); err != nil {
			return err
		}
	}
	return s.install()
}

// makeDB makes a database that can take the place of db. Only when all of it
// is on disk it gets the name that says so.
func (s *Spool) makeDB(fill func(*pebble.DB) (state, error)) error {
	fs := s.fs
	o := s.engineOptions(func() position { return position{} })
	o.ErrorIfNotExists, o.ErrorIfExists = false, true
	db, err := pebble.Open(s.path(buildName), o)
	if err != nil {
		return err
	}
	st, err := fill(db)
	if err == nil {
		rand.Read(st.id[:])
		err = db.Set(stateKey, st.encode(), pebble.Sync)
	}
	if err = errors.Join(err, s.failure(), s.closeDB(db)); err != nil {
		return err
	}
	return rename(fs, s.path(buildName), s.path(readyName))
}

// install puts the database that is ready in its place; one that is there
// already is damaged, and set aside.
func (s *Spool) install() error {
	fs := s.fs
	db, err := exists(fs, s.path(dbName))
	if err != nil {
		return err
	}
	if db {
		if err := rename(fs, s.path(dbName), s.path(quarantineName(s.now()))); err != nil {
			return err
		}
	}
	return rename(fs, s.path(readyName), s.path(dbName))
}

func (s *Spool) load() error {
	pos, err := examine(s.fs, s.path(dbName), s.engineOptions(s.position))
	if err != nil {
		return err
	}
	s.publish(pos) // the tail of the new log says it
	return s.start()
}

// start opens the database, whose position is known.
func (s *Spool) start() error {
	db, err := openEngine(s.path(dbName), s.engineOptions(s.position))
	if err != nil {
		return err
	}
	if err := s.failure(); err != nil {
		return errors.Join(err, db.Close())
	}
	s.flow.unflushed.Store(1) // whatever the replay of logs did
	s.db = db
	return nil
}

// examine finds out where the database stands, without changing it: once it
// is opened for writing, Pebble removes what it takes for leftovers.
func examine(fs vfs.FS, dir string, o *pebble.Options) (position, error) {
	db, pos, err := openReadOnly(fs, dir, o)
	if err != nil {
		return pos, err
	}
	return pos, db.Close()
}

// openReadOnly opens the database for reading, and returns an error if it
// does not hold all that it should.
func openReadOnly(fs vfs.FS, dir string, o *pebble.Options) (db *pebble.DB, pos position, err error) {
	for _, check := range []func(vfs.FS, string) error{checkMark, checkManifest, checkLogs} {
		if err := check(fs, dir); err != nil {
			return nil, pos, err
		}
	}
	o.ReadOnly = true
	if db, err = openEngine(dir, o); err != nil {
		return nil, pos, err
	}
	if pos, err = findPosition(db); err == nil {
		err = checkTail(fs, dir, pos)
	}
	if err == nil {
		err = checkComplete(fs, dir, db, pos)
	}
	if err != nil {
		return nil, pos, errors.Join(err, db.Close())
	}
	return db, pos, nil
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

// findPosition reads the state and the last record, however many there are.
func findPosition(db *pebble.DB) (pos position, err error) {
	value, closer, err := db.Get(stateKey)
	if err != nil {
		return pos, fmt.Errorf("state: %w", err)
	}
	pos.state, err = parseState(value)
	if err = errors.Join(err, closer.Close()); err != nil {
		return pos, err
	}
	pos.last, pos.lastTotal = pos.acked, pos.ackedTotal
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: recordKey(pos.acked + 1), UpperBound: stateKey})
	if err != nil {
		return pos, err
	}
	defer it.Close()
	if it.Last() {
		h, _, err := parseRecord(it.Value())
		if err != nil {
			return pos, err
		}
		if pos.last, err = parseRecordKey(it.Key()); err != nil {
			return pos, err
		}
		pos.lastTotal = h.total
	}
	if err := it.Error(); err != nil {
		return pos, err
	}
	if pos.fixed > pos.last {
		return pos, fmt.Errorf("records up to %d were handed out, but the last is %d", pos.fixed, pos.last)
	}
	return pos, nil
}

func (s *Spool) path(name string) string { return s.fs.PathJoin(s.dir, name) }

func exists(fs vfs.FS, path string) (bool, error) {
	_, err := fs.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// makeDir makes a directory and its parents, durably.
func makeDir(fs vfs.FS, dir string) error {
	found, err := exists(fs, dir)
	if found || err != nil {
		return err
	}
	parent := fs.PathDir(dir)
	if err := makeDir(fs, parent); err != nil {
		return err
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fs, parent)
}

// rename moves a file or directory within its directory, durably.
func rename(fs vfs.FS, from, to string) error {
	if err := fs.Rename(from, to); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(to))
}

func syncDir(fs vfs.FS, path string) error {
	dir, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
