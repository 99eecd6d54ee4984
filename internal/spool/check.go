package spool

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"
)

// openReadOnly opens the database for reading and returns its position. It
// returns an error if records or acks are missing.
func openReadOnly(fs vfs.FS, dir string, o *pebble.Options) (db *pebble.DB, pos position, err error) {
	if err := checkManifest(fs, dir); err != nil {
		return nil, pos, err
	}
	if err := checkLogs(fs, dir); err != nil {
		return nil, pos, err
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

// findPosition reads the state and the last record.
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

// checkLogs returns an error if a log is damaged.
func checkLogs(fs vfs.FS, db string) error {
	names, err := logNames(fs, db)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return &CorruptionError{Path: db, Err: errors.New("no log")}
	}
	t, err := readTail(fs, db)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := fs.PathJoin(db, name)
		at, err := readLogFile(fs, path, t, func([]byte) error { return nil })
		if err := damageAt(path, at, err); err != nil {
			return err
		}
	}
	return nil
}

// checkManifest returns an error if the current manifest is damaged. Like the commits of a log, each of its edits is
// synced before the next one is written. Pebble takes a bad edit for the manifest's end, and ignores the edits behind
// it.
func checkManifest(fs vfs.FS, db string) error {
	name, err := atomicfs.ReadMarker(fs, db, "manifest")
	if err != nil || name == "" {
		return err // Pebble reports a missing marker
	}
	path := fs.PathJoin(db, name)
	f, err := fs.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := readChunks(f, parseManifestChunk, false, nil, func([]byte) error { return nil })
	return damageAt(path, at, err)
}

// damageAt turns the results of readChunks into an error.
func damageAt(path string, at int64, err error) error {
	switch {
	case err != nil:
		return corruption(path, err)
	case at >= 0:
		return corruption(path, fmt.Errorf("a commit that was written is not whole, at offset %d", at))
	}
	return nil
}

// span is the numbers of the first and the last record in a table.
type span struct{ first, last uint64 }

// checkComplete returns an error if a record between the ack and the last one is missing. Numbers grow by one, also
// within each table, so it reads only the records outside the span of every table.
func checkComplete(fs vfs.FS, dir string, db *pebble.DB, pos position) error {
	spans, err := tableSpans(fs, dir, db, pos.acked+1)
	if err != nil {
		return err
	}
	next := pos.acked + 1
	for _, s := range append(spans, span{pos.last + 1, pos.last}) {
		if err := checkRun(db, next, s.first); err != nil {
			return err
		}
		next = max(next, s.last+1)
	}
	return nil
}

// tableSpans returns, in order, the spans of the database's tables that may hold records with numbers of at least from.
func tableSpans(fs vfs.FS, dir string, db *pebble.DB, from uint64) (spans []span, err error) {
	levels, err := db.SSTables()
	if err != nil {
		return nil, err
	}
	for _, level := range levels {
		for _, table := range level {
			if bytes.Compare(table.Largest.UserKey, recordKey(from)) < 0 {
				continue
			}
			path := fs.PathJoin(dir, fmt.Sprintf("%06d%s", table.BackingSSTNum, tableSuffix))
			s, any, err := tableSpan(fs, path)
			if err != nil {
				return nil, corruption(path, err)
			}
			if any {
				spans = append(spans, s)
			}
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	return spans, nil
}

// checkRun returns an error if a record with a number in [from, to) is missing.
func checkRun(db pebble.Reader, from, to uint64) error {
	if from >= to {
		return nil
	}
	next := from
	err := scanRecords(db, from, to-1, func(seq uint64, _ header, _ []byte) bool {
		if seq != next {
			return false
		}
		next++
		return true
	})
	if err == nil && next < to {
		err = missing(next)
	}
	return err
}

// missing is the error for a record that should exist.
func missing(seq uint64) error { return fmt.Errorf("record %d is missing", seq) }
