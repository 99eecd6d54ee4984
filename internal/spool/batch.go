package spool

import (
	"context"
	"fmt"
	"time"
)

// Batch is a run of records that are stored together.
type Batch struct {
	Spool       string    // the spool's ID
	First, Last uint64    // numbers of its first and last record
	Records     [][]byte  // in order; the caller may keep them
	Appended    time.Time // when the first record was appended
	// Salvaged says that the records were salvaged from a damaged spool, which
	// may have handed them out before: those that are stored already must be
	// recognised by what they say, not by the token.
	Salvaged bool
	// Repeated says that the batch was handed out before, so that it may be
	// stored already.
	Repeated bool
	// Mark is the number that the consumer noted with the ack before this
	// batch, 0 if it never did. Ack keeps it durably for the next batch, so that
	// what depends on all records before has the same value whenever the batch
	// comes again.
	Mark uint64

	total uint64 // of the last record
}

// PossiblyStored says that who stores the batch may have stored it before and not
// know it by its token any more, which is known for so long: what is stored
// already must be recognised by what it says.
func (b Batch) PossiblyStored(known time.Duration) bool {
	age := time.Since(b.Appended)
	// An age below zero says that a clock was set back since: how old the batch is, nobody knows.
	return b.Salvaged || b.Repeated && (age < 0 || age > known)
}

// Token names exactly these records: the same batch has the same token after
// a crash, and no other batch has it ever.
func (b Batch) Token() string {
	return fmt.Sprintf("%s-%d-%d", b.Spool, b.First, b.Last)
}

// Next waits until a batch is ready, by the limits, and returns it. The
// bounds of the batch are durable before that, and until Ack every Next
// returns this very batch, whatever the limits, also after a crash.
//
// A damaged spool is salvaged first; those who append wait meanwhile. What
// was lost Stat tells. A CorruptionError says that it cannot be salvaged now:
// a later Next tries again.
//
// Next, Shrink and Ack belong to one consumer and must not run at once.
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

// reach is the last number that the next batch may have: it does not mix
// suspect records with others.
func (p position) reach() uint64 {
	if p.acked < p.suspect {
		return min(p.suspect, p.last)
	}
	return p.last
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

// Shrink makes the batch shorter, durably: its first n records. The others
// come with a later Next. It is for a batch that was refused as a whole: one
// whose fate is unknown must be sent again under its own token.
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

// Ack forgets the batch, and keeps its Mark for the next one. When the process dies before Ack is through, the
// same batch comes again, under the same token.
func (s *Spool) Ack(b Batch) error {
	pos, err := s.handedOut(b)
	if err != nil {
		return err
	}
	st := pos.state
	st.acked, st.ackedTotal, st.mark = b.Last, b.total, b.Mark
	return s.replace(context.Background(), st)
}

func (s *Spool) handedOut(b Batch) (position, error) {
	pos := s.position()
	if b.Spool != s.ID() || b.Last != pos.fixed || b.Last <= pos.acked {
		return pos, fmt.Errorf("%w: %s", ErrStale, b.Token())
	}
	return pos, nil
}
