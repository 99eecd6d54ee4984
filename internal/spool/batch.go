package spool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Batch is a run of records that are stored together.
type Batch struct {
	Spool       string    // the spool's ID
	First, Last uint64    // numbers of its first and last record
	Records     [][]byte  // in order; the caller may keep them
	Appended    time.Time // when the first record was appended
	// Salvaged reports that the records come from a damaged spool, which may have handed them out before under another
	// token. Records that are stored already must be recognised by their content.
	Salvaged bool
	// Repeated reports that the batch was handed out before, so it may be stored already.
	Repeated bool
	// Mark is the number that the consumer passed to the ack before this batch, or 0. Ack keeps it durably for the next
	// batch. A value that depends on all earlier records is therefore the same however often a batch is repeated.
	Mark uint64

	total uint64 // of the last record
}

// PossiblyStored reports whether the batch may be stored already and the database no longer knows its token, which it
// remembers for the duration known. Records that are stored already must then be recognised by their content.
func (b Batch) PossiblyStored(known time.Duration) bool {
	age := time.Since(b.Appended)
	// After a clock was set back the age is negative, and not known.
	return b.Salvaged || b.Repeated && (age < 0 || age > known)
}

// Token names exactly these records: the same batch has the same token after a crash, and no other batch ever has it.
func (b Batch) Token() string {
	return fmt.Sprintf("%s-%d-%d", b.Spool, b.First, b.Last)
}

// Next waits until the limits call for a batch, and returns it. The bounds of the batch are durable before that. Until
// Ack every Next returns this very batch, whatever the limits, also after a crash.
//
// A damaged spool is salvaged first; Append waits meanwhile. Stat reports the loss. A CorruptionError says that the
// spool cannot be salvaged now: a later Next tries again.
//
// Next, Shrink and Ack belong to one consumer and must not run at the same time.
func (s *Spool) Next(ctx context.Context, l Limits) (Batch, error) {
	if err := l.Validate(); err != nil {
		return Batch{}, err
	}
	for {
		if damage := s.damage.Load(); damage != nil {
			if err := s.repair(ctx, damage); err != nil {
				return Batch{}, err
			}
		}
		b, err := s.next(ctx, l)
		if err == nil || s.damage.Load() == nil {
			return b, err
		}
	}
}

func (s *Spool) next(ctx context.Context, l Limits) (Batch, error) {
	pos := s.position()
	if pos.fixed > pos.acked {
		b, err := s.read(pos.acked+1, pos.fixed, Limits{})
		b.Repeated = true
		return b, err
	}
	pos, err := s.await(ctx, l)
	if err != nil {
		return Batch{}, err
	}
	b, err := s.read(pos.acked+1, pos.reach(), l)
	if err != nil {
		return Batch{}, err
	}
	st := pos.state
	st.fixed = b.Last
	return b, s.replace(ctx, st)
}

// await returns when the limits call for a batch.
func (s *Spool) await(ctx context.Context, l Limits) (position, error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var oldest, seen time.Time
	for {
		pos := s.position()
		if pos.waiting() > 0 && oldest.IsZero() {
			s.reading.RLock()
			found, err := s.appendedAt(pos)
			s.reading.RUnlock()
			if err != nil {
				return pos, err
			}
			oldest = found
			seen = s.now()
		}
		var due <-chan time.Time
		if pos.waiting() > 0 {
			// The clock may have been set back since the record was appended.
			age := max(s.now().Sub(oldest), s.now().Sub(seen))
			if pos.waiting() >= uint64(l.Records) || pos.waitingBytes() >= uint64(l.Bytes) || age >= l.Age {
				return pos, nil
			}
			timer.Reset(l.Age - age)
			due = timer.C
		}
		select {
		case <-s.grown:
		case <-s.harmed:
			if damage := s.damage.Load(); damage != nil {
				return pos, damage
			}
		case <-due:
		case <-ctx.Done():
			return pos, ctx.Err()
		case <-s.life.Done():
			return pos, s.failure()
		case <-s.closing:
			return pos, ErrClosed
		}
	}
}

// Shrink durably reduces the batch to its first n records. The others come with a later Next. It is for a batch that
// was refused as a whole: a batch that may be stored must be sent again under its own token.
func (s *Spool) Shrink(b Batch, n int) (Batch, error) {
	pos, err := s.handedOut(b)
	if err != nil {
		return Batch{}, err
	}
	if n < 1 || n > len(b.Records) {
		return Batch{}, fmt.Errorf("spool: cannot shrink a batch of %d records to %d", len(b.Records), n)
	}
	short, err := s.read(b.First, b.Last, Limits{Records: n})
	if err != nil {
		return Batch{}, err
	}
	st := pos.state
	st.fixed = short.Last
	return short, s.replace(context.Background(), st)
}

// Ack deletes the batch, and keeps its Mark for the next one. If the process
// dies before Ack returns, the same batch may come again under the same token.
func (s *Spool) Ack(b Batch) error {
	pos, err := s.handedOut(b)
	if err != nil {
		return err
	}
	st := pos.state
	st.acked = b.Last
	st.ackedTotal = b.total
	st.mark = b.Mark
	return s.replace(context.Background(), st)
}

// handedOut returns the position, and ErrStale if b is not the batch that was handed out last.
func (s *Spool) handedOut(b Batch) (position, error) {
	pos := s.position()
	if b.Spool != pos.name() || b.Last != pos.fixed || b.Last <= pos.acked {
		return pos, fmt.Errorf("%w: %s", ErrStale, b.Token())
	}
	return pos, nil
}

// read returns the records from first to last, as many as the limits allow but
// at least one. A limit of 0 does not apply.
func (s *Spool) read(first, last uint64, l Limits) (Batch, error) {
	pos := s.position()
	b := Batch{Spool: pos.name(), Salvaged: first <= pos.salvaged, Mark: pos.mark}
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

// appendedAt returns when the oldest waiting record was appended. The caller holds s.reading.
func (s *Spool) appendedAt(pos position) (t time.Time, err error) {
	err = s.scanHeld(pos.acked+1, pos.last, func(_ uint64, h header, _ []byte) bool {
		t = h.appended
		return false
	})
	return t, err
}

// scan calls visit for the records from first to last until it returns false. The bounds exclude the tombstones of
// acked records, and records that are not durable yet.
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
