package spool

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Record is a waiting record, as Inspection.Records returns it.
type Record struct {
	Seq      uint64
	Appended time.Time
	Data     []byte // valid until the next one
}

// Inspection is a spool opened for reading only.
type Inspection struct {
	lock        io.Closer
	db          *pebble.DB
	pos         position
	quarantined []Damage
}

// Inspect opens the spool in dir without changing it. It returns ErrLocked while a process has it open, and a
// CorruptionError when it is damaged: only Open salvages.
func Inspect(dir string) (_ *Inspection, err error) {
	fs := vfs.Default
	db := fs.PathJoin(dir, dbName)
	if found, err := exists(fs, db); err != nil {
		return nil, fmt.Errorf("spool: inspect: %w", err)
	} else if !found {
		return nil, fmt.Errorf("spool: inspect: no spool in %s: %w", dir, os.ErrNotExist)
	}
	i := &Inspection{}
	if i.lock, err = lockDir(fs, dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			i.lock.Close()
		}
	}()
	if i.quarantined, err = listDamage(fs, dir); err != nil {
		return nil, fmt.Errorf("spool: inspect: %w", err)
	}
	s := newSpool(dir, DefaultOptions())
	s.log = slog.New(slog.DiscardHandler)
	if i.db, i.pos, err = openReadOnly(fs, db, s.engineOptions(s.position)); isDamage(err) {
		return nil, corruption(db, err)
	} else if err != nil {
		return nil, fmt.Errorf("spool: inspect %s: %w", dir, err)
	}
	return i, nil
}

// ID names the spool; every token contains it.
func (i *Inspection) ID() string { return i.pos.name() }

// Stat describes the spool's content.
func (i *Inspection) Stat() Stat {
	st := i.pos.stat()
	st.Damaged = i.quarantined
	for r := range i.Records() {
		st.Oldest = r.Appended
		break
	}
	return st
}

// Records iterates over the waiting records, oldest first. An error ends the iteration.
func (i *Inspection) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		more := true
		err := scanRecords(i.db, i.pos.acked+1, i.pos.last, func(seq uint64, h header, record []byte) bool {
			more = yield(Record{seq, h.appended, record}, nil)
			return more
		})
		if err != nil && more {
			yield(Record{}, err)
		}
	}
}

// Close closes the database and unlocks the directory.
func (i *Inspection) Close() error { return errors.Join(i.db.Close(), i.lock.Close()) }
