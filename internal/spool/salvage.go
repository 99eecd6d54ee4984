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

// salvage replaces a damaged database by a new one with every record that can
// still be read, and quarantines the old one unchanged.
//
// Where records are lost, those behind them move up: numbers never have a gap. A note that was removed shortly before
// the damage may be there again. The new database has its own id, because under the old one a token would name two
// different batches.
func (s *Spool) salvage(reason error) error {
	s.log.Error("spool: damage found: salvaging the readable records", "path", s.dir, "error", reason)
	if err := s.roomToSalvage(); err != nil {
		return err
	}
	d := Damage{Found: s.now().UTC(), Reason: reason.Error()}
	if err := s.fs.RemoveAll(s.path(buildName)); err != nil {
		return err
	}
	if err := s.makeDB(func(db *pebble.DB, st *state) error { return s.restore(db, st, &d) }); err != nil {
		return err
	}
	report, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(s.fs, s.fs.PathJoin(s.path(dbName), reportName), report); err != nil {
		return err
	}
	if err := syncDir(s.fs, s.path(dbName)); err != nil {
		return err
	}
	if err := s.install(); err != nil {
		return err
	}
	s.log.Error("spool: damaged database quarantined", "path", s.dir, "reason", d.Reason,
		"salvaged", d.Salvaged, "lost", d.Lost, "unreadable", strings.Join(d.Unreadable, " "))
	return nil
}

// roomToSalvage returns an error if a copy of the database would fill the disk.
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

// restore copies the damaged database into db, a new one, whose state is st so far.
func (s *Spool) restore(db *pebble.DB, st *state, d *Damage) error {
	t, err := readTail(s.fs, s.path(dbName))
	if err != nil && !isDamage(err) {
		return err
	}
	r := &restorer{db: db, id: st.id, batch: newBatch(db, st.id)}
	defer func() { r.batch.Close() }()
	if err := r.readAll(s.fs, s.path(dbName), t, d); err != nil {
		return err
	}
	*st, err = r.finish(d, t)
	return err
}

// restorer collects records and states into a new database, which sorts them.
type restorer struct {
	db    *pebble.DB
	id    [idLen]byte // of the new database
	batch *pebble.Batch
	state state // the one with the highest ack
	known bool  // state is valid
}

// readAll reads all files of the damaged database. t is its tail, or zero.
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

// putCommit adds a commit of a log.
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
		switch _, note := parseNoteKey(key); {
		case kind == pebble.InternalKeyKindSet:
			if err := r.put(key, value); err != nil {
				return err
			}
		case kind == pebble.InternalKeyKindDelete && note:
			if err := r.batch.Delete(key, nil); err != nil {
				return err
			}
		}
	}
}

// put adds a key and its value. It ignores unknown ones.
func (r *restorer) put(key, value []byte) error {
	if _, err := parseRecordKey(key); err == nil {
		if _, _, err := parseRecord(value); err != nil {
			return nil
		}
		if err := r.batch.Set(key, value, nil); err != nil {
			return err
		}
	} else if _, ok := parseNoteKey(key); ok && len(value) > 0 { // a removed note has none
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
	r.batch = newBatch(r.db, r.id)
	return err
}

func (r *restorer) deleteRange(from, to uint64) error {
	if err := r.batch.DeleteRange(recordKey(from), recordKey(to), nil); err != nil {
		return err
	}
	return r.flush()
}

// finish deletes the acked records, closes the gaps, counts the other records
// and returns the new state. t is the tail of the damaged database, or zero.
func (r *restorer) finish(d *Damage, t tail) (state, error) {
	st := r.state
	st.id = r.id
	st.acked = max(st.acked, t.acked)
	if err := r.deleteRange(0, st.acked+1); err != nil {
		return state{}, err
	}
	// Missing numbers count from the ack on, or from the first record if no ack is known.
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
	st.fixed = st.acked
	st.salvaged = max(to.last, st.acked)
	return st, nil
}

// closeGaps finishes moving records to smaller numbers: it deletes those behind last. Each table must hold a run of
// numbers without a gap; compacting them all ensures that.
func (r *restorer) closeGaps(last, was uint64) error {
	if err := r.flush(); err != nil {
		return err
	}
	if err := r.deleteRange(last+1, was+1); err != nil {
		return err
	}
	return r.db.Compact(context.Background(), recordKey(0), stateKey, false)
}
