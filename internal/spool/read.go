package spool

import (
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// read returns the records from first to last, as far as the limits allow but
// at least one. No limits means all of them.
func (s *Spool) read(first, last uint64, l Limits) (Batch, error) {
	pos := s.position()
	b := Batch{Spool: pos.name(), Salvaged: first <= pos.suspect, Mark: pos.mark}
	size := int64(0)
	next, full := first, false
	err := s.scan(first, last, func(seq uint64, h header, record []byte) bool {
		n := len(b.Records)
		full = n > 0 && (l.Records > 0 && n == l.Records || l.Bytes > 0 && size+int64(len(record)) > l.Bytes)
		if full || seq != next {
			return false
		}
		next++
		if n == 0 {
			b.First, b.Appended = seq, h.appended
		}
		b.Last, b.total = seq, h.total
		b.Records = append(b.Records, slices.Clone(record))
		size += int64(len(record))
		return true
	})
	if err == nil && !full && next <= last {
		err = s.corrupt(missing(next))
	}
	if err != nil {
		return Batch{}, err
	}
	return b, nil
}

// appendedAt says when the oldest waiting record was appended. The caller
// holds s.reading.
func (s *Spool) appendedAt(pos position) (t time.Time, err error) {
	err = s.scanHeld(pos.acked+1, pos.last, func(_ uint64, h header, _ []byte) bool {
		t = h.appended
		return false
	})
	return t, err
}

// scan calls visit for the records from first to last until it returns false.
// The bounds keep it off what is acked, whose tombstones it would otherwise
// wade through, and off what is not durable yet.
func (s *Spool) scan(first, last uint64, visit func(uint64, header, []byte) bool) error {
	s.reading.RLock()
	defer s.reading.RUnlock()
	return s.scanHeld(first, last, visit)
}

func (s *Spool) scanHeld(first, last uint64, visit func(uint64, header, []byte) bool) error {
	if s.closed {
		return ErrClosed
	}
	return s.corrupt(scanRecords(s.db, first, last, visit))
}

func scanRecords(db pebble.Reader, first, last uint64, visit func(uint64, header, []byte) bool) (err error) {
	it, err := db.NewIter(&pebble.IterOptions{
		LowerBound: recordKey(first),
		UpperBound: recordKey(last + 1),
	})
	if err != nil {
		return err
	}
	defer func() {
		if e := it.Close(); err == nil {
			err = e
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		seq, err := parseRecordKey(it.Key())
		if err != nil {
			return err
		}
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		h, record, err := parseRecord(value)
		if err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
		if !visit(seq, h, record) {
			return nil
		}
	}
	return it.Error()
}
