package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// errNoRoom keeps a damaged spool from being salvaged, until there is room.
var errNoRoom = errors.New("not enough free disk space to salvage")

// salvage replaces a damaged database by a new one with every record that can
// still be read. The old one is left as it is and set aside.
//
// Where records are lost, those behind them move up: numbers never have a gap.
// The new database has an id of its own, for under the old one a token would
// name two things.
func (s *Spool) salvage(reason error) error {
	fs := s.fs
	s.log.Error("spool: damage found: salvaging what can be read", "path", s.dir, "error", reason)
	if err := s.roomToSalvage(); err != nil {
		return err
	}
	d := Damage{Found: s.now().UTC(), Reason: reason.Error()}
	if err := fs.RemoveAll(s.path(buildName)); err != nil {
		return err
	}
	err := s.makeDB(func(db *pebble.DB) (state, error) {
		r := &restorer{db: db, batch: db.NewBatch()}
		defer r.batch.Close()
		t, err := readTail(fs, s.path(dbName))
		if err != nil && !isDamage(err) {
			return state{}, err
		}
		if err := r.readAll(fs, s.path(dbName), t, &d); err != nil {
			return state{}, err
		}
		return r.finish(&d, t)
	})
	if err != nil {
		return err
	}
	report, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(fs, fs.PathJoin(s.path(dbName), reportName), report); err != nil {
		return err
	}
	if err := s.install(); err != nil {
		return err
	}
	s.log.Error("spool: damaged database set aside", "path", s.dir, "reason", d.Reason,
		"salvaged", d.Salvaged, "lost", d.Lost, "unreadable", strings.Join(d.Unreadable, " "))
	return nil
}

// roomToSalvage makes sure that a copy of the database does not fill the disk.
func (s *Spool) roomToSalvage() error {
	fs := s.fs
	names, err := fs.List(s.path(dbName))
	if err != nil {
		return err
	}
	need := uint64(s.opts.MinFree)
	for _, name := range names {
		if info, err := fs.Stat(fs.PathJoin(s.path(dbName), name)); err == nil {
			need += uint64(info.Size())
		}
	}
	usage, err := fs.GetDiskUsage(s.dir)
	if err != nil {
		return err
	}
	if usage.AvailBytes < need {
		return fmt.Errorf("%w: %d bytes free, %d needed", errNoRoom, usage.AvailBytes, need)
	}
	return nil
}

// restorer collects what is found into a new database, which puts it in order.
type restorer struct {
	db    *pebble.DB
	batch *pebble.Batch
	state state // the one with the highest ack
	known bool  // a state was found
}

// readAll reads all files of the damaged database, whose tail is t as far as
// it is known.
func (r *restorer) readAll(fs vfs.FS, db string, t tail, d *Damage) error {
	names, err := fs.List(db)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, tableSuffix) {
			continue
		}
		if err := readTable(fs, fs.PathJoin(db, name), r.put); err != nil {
			if !isDamage(err) {
				return err
			}
			d.Unreadable = append(d.Unreadable, name)
		}
	}
	logs, err := logNames(fs, db)
	if err != nil {
		return err
	}
	if name := logName(t.log); t.log > 0 && !slices.Contains(logs, name) {
		d.Unreadable = append(d.Unreadable, name)
	}
	for _, name := range logs {
		at, err := readLogFile(fs, fs.PathJoin(db, name), t, r.putCommit)
		if err != nil && !isDamage(err) {
			return err
		}
		if err != nil || at >= 0 {
			d.Unreadable = append(d.Unreadable, name)
		}
	}
	return r.flush()
}

// putCommit takes a commit from a log.
func (r *restorer) putCommit(commit []byte) error {
	if len(commit) < batchrepr.HeaderLen {
		return nil
	}
	ops := batchrepr.Read(commit)
	for {
		kind, key, value, ok, err := ops.Next()
		if !ok || err != nil {
			return nil
		}
		if kind == pebble.InternalKeyKindSet {
			if err := r.put(key, value); err != nil {
				return err
			}
		}
	}
}

// put takes a key and its value, if it knows them.
func (r *restorer) put(key, value []byte) error {
	if _, err := parseRecordKey(key); err == nil {
		if _, _, err := parseRecord(value); err != nil {
			return nil
		}
		if err := r.batch.Set(key, value, nil); err != nil {
			return err
		}
	} else if st, err := parseState(value); err == nil && (!r.known || st.acked > r.state.acked) {
		r.state, r.known = st, true
	}
	if r.batch.Len() < maxCommitBytes {
		return nil
	}
	return r.flush()
}

func (r *restorer) flush() error {
	err := r.db.Apply(r.batch, pebble.NoSync)
	r.batch = r.db.NewBatch()
	return err
}

// finish drops what was acked, closes the gaps, counts the rest and returns
// the new state. t is the tail of the damaged database, as far as it is known.
func (r *restorer) finish(d *Damage, t tail) (state, error) {
	st := r.state
	st.acked = max(st.acked, t.acked)
	if err := r.db.DeleteRange(recordKey(0), recordKey(st.acked+1), pebble.NoSync); err != nil {
		return state{}, err
	}
	// Where an ack is known, numbers are missing from it on; else from the
	// first record on.
	from := st.acked + 1
	last := max(st.acked, t.last) // as records were numbered
	var to position               // as they are numbered now
	moved := false
	var failed error
	err := scanRecords(r.db, st.acked+1, 1<<63, func(seq uint64, h header, record []byte) bool {
		if d.Salvaged == 0 {
			to.last, to.lastTotal = seq-1, h.total-uint64(len(record))
			st.acked, st.ackedTotal = to.last, to.lastTotal
			if !r.known && t.log == 0 {
				from = seq
			}
		}
		d.Salvaged++
		last = max(last, seq)
		if seq == to.last+1 {
			to.last, to.lastTotal = seq, to.lastTotal+uint64(len(record))
			return true
		}
		moved = true
		to.append(r.batch, record, h.appended)
		if r.batch.Len() >= maxCommitBytes {
			failed = r.flush()
		}
		return failed == nil
	})
	if err = errors.Join(err, failed); err != nil {
		return state{}, err
	}
	if moved {
		if err := r.closeGaps(to.last, last); err != nil {
			return state{}, err
		}
	}
	d.Lost = last + 1 - from - d.Salvaged
	st.fixed, st.suspect = st.acked, max(to.last, st.acked)
	return st, nil
}

// closeGaps finishes moving records to smaller numbers. Each table must hold
// a run of numbers without a gap, which compacting them all makes sure.
func (r *restorer) closeGaps(last, was uint64) error {
	if err := r.flush(); err != nil {
		return err
	}
	if err := r.db.DeleteRange(recordKey(last+1), recordKey(was+1), pebble.NoSync); err != nil {
		return err
	}
	return r.db.Compact(context.Background(), recordKey(0), stateKey, false)
}
