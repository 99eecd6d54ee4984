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

// Names in a spool's directory; doc.go describes them.
const (
	lockName  = "LOCK"
	dbName    = "db"
	buildName = "db.new"
	readyName = "db.ready"
)

// Open opens the spool in dir, or creates one there. Damage does not keep it
// from opening: a damaged database is quarantined, see Stat.Damaged.
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
	// The error has a path if the file cannot be created, and no path if another process holds the lock.
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

// tidy completes an Open that crashed, and creates the database if it does not exist.
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
		if err := s.makeDB(func(*pebble.DB, *state) error { return nil }); err != nil {
			return err
		}
	}
	return s.install()
}

// makeDB creates a database that can take the place of db. It has the name readyName only when all of it is on disk.
// fill adds records to the database, and completes the state, which has the id of the new spool.
func (s *Spool) makeDB(fill func(*pebble.DB, *state) error) error {
	var st state
	rand.Read(st.id[:])
	o := s.engineOptions(func() position { return position{state: state{id: st.id}} })
	o.ErrorIfNotExists, o.ErrorIfExists = false, true
	db, err := pebble.Open(s.path(buildName), o)
	if err != nil {
		return err
	}
	if err = fill(db, &st); err == nil {
		batch := newBatch(db, st.id)
		_ = batch.Set(stateKey, st.encode(), nil)
		err = db.Apply(batch, pebble.Sync)
	}
	if err = errors.Join(err, s.failure(), s.closeDB(db)); err != nil {
		return err
	}
	return rename(s.fs, s.path(buildName), s.path(readyName))
}

// install renames the ready database to db. A database with that name is damaged, and is quarantined.
func (s *Spool) install() error {
	db, err := exists(s.fs, s.path(dbName))
	if err != nil {
		return err
	}
	if db {
		if err := rename(s.fs, s.path(dbName), s.path(quarantineName(s.now()))); err != nil {
			return err
		}
	}
	return rename(s.fs, s.path(readyName), s.path(dbName))
}

// load checks the database and opens it. The check changes nothing: Pebble removes files that it takes for leftovers as
// soon as it opens the database for writing.
func (s *Spool) load() error {
	db, pos, err := openReadOnly(s.fs, s.path(dbName), s.engineOptions(s.position))
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		return err
	}
	s.publish(pos) // the tail of the new log contains it
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
	s.unflushed.Store(1) // regardless of the flushes while Pebble replayed logs
	s.db = db
	return nil
}

func (s *Spool) path(name string) string { return s.fs.PathJoin(s.dir, name) }
