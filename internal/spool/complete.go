package spool

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// span is the numbers of the first and the last record in a table.
type span struct{ first, last uint64 }

// checkComplete returns an error if a record between the ack and the last one
// is missing. Numbers grow by one, also within each table: it checks one by
// one only the numbers outside the span of every table.
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

// tableSpans returns the spans of the tables that the database refers to and
// that may hold records from a number on, in order.
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

// checkRun returns an error if a record with a number in [from, to) is
// missing.
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

// missing is the damage where a record should be and is not.
func missing(seq uint64) error { return fmt.Errorf("record %d is missing", seq) }
