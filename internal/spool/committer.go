package spool

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// maxQueued and maxQueuedBytes bound what waits for the committer. Past
	// them Append waits its turn, so that a slow disk slows the senders down
	// and does not fill the memory.
	maxQueued      = 1024
	maxQueuedBytes = 2 * MaxRecord
	// maxCommitBytes bounds one commit, so that it fits into a memtable.
	maxCommitBytes = 4 << 20
)

// request asks the committer for one record to be appended, for the state to
// be replaced, or for a damaged database to be.
type request struct {
	record []byte
	state  *state
	repair *CorruptionError
	queued time.Time
	// abandoned is set when nobody waits any more; Spool.building guards it.
	abandoned bool
	done      chan error
}

// Append stores a record. It returns nil only when the record is on disk with
// fsync; then Next will hand it out, once, in the order of the commits.
//
// When ctx ends first Append returns its error, and the record may or may not
// be stored. The same holds for ErrFailed and ErrClosed.
func (s *Spool) Append(ctx context.Context, record []byte) error {
	if len(record) > MaxRecord {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(record), MaxRecord)
	}
	if err := s.admit(len(record)); err != nil {
		return err
	}
	if err := s.room.Acquire(ctx, int64(len(record))); err != nil {
		return err
	}
	defer s.room.Release(int64(len(record)))
	return s.submit(ctx, &request{record: record, queued: s.now(), done: make(chan error, 1)})
}

// replace makes st the spool's state, durably.
func (s *Spool) replace(ctx context.Context, st state) error {
	return s.submit(ctx, &request{state: &st, done: make(chan error, 1)})
}

// submit queues a request and waits for its commit.
func (s *Spool) submit(ctx context.Context, r *request) error {
	select {
	case s.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return s.failure()
	case <-s.closing:
		return ErrClosed
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		s.abandon(r)
		return ctx.Err()
	case <-s.life.Done():
		s.abandon(r)
		return s.failure()
	case <-s.stopped:
	}
	// The committer has ended: before it saw this request, or just after it
	// was done with it.
	select {
	case err := <-r.done:
		return err
	default:
		return ErrClosed
	}
}

// abandon gives the record's memory back to the caller: after it the
// committer does not look at it any more.
func (s *Spool) abandon(r *request) {
	s.building.Lock()
	r.abandoned = true
	s.building.Unlock()
}

// runCommitter is the one goroutine that writes. It takes all that waits,
// numbers the records, writes them with one fsync, and only then releases
// those who wait. A record can therefore not become visible before one with
// a smaller number, and a commit never begins before the last is on disk.
func (s *Spool) runCommitter() {
	defer close(s.stopped)
	group := make([]*request, 0, maxQueued)
	released := 0 // by the last commit
	for {
		select {
		case r := <-s.queue:
			group = s.linger(s.gather(append(group[:0], r)), released/2)
		case <-s.closing:
			if group = s.gather(group[:0]); len(group) == 0 {
				return
			}
		}
		s.awaitFlush()
		s.commit(group)
		released = len(group)
		clear(group)
	}
}

// maxLinger is about an fsync's time. It bounds what a lone request after a
// burst waits in vain, once.
const maxLinger = 3 * time.Millisecond

// linger waits for more requests when the last commit released several at
// once: they come back one by one, and if the first of them began a commit of
// its own, all others would wait for two. Half of them are enough, for then
// one half is written while the other half is answered.
func (s *Spool) linger(group []*request, enough int) []*request {
	if len(group) >= enough {
		return group
	}
	patience := time.NewTimer(maxLinger)
	defer patience.Stop()
	for len(group) < enough {
		select {
		case r := <-s.queue:
			group = s.gather(append(group, r))
		case <-patience.C:
			return group
		case <-s.closing:
			return group
		}
	}
	return group
}

// gather adds to group what waits by now.
func (s *Spool) gather(group []*request) []*request {
	size := 0
	for _, r := range group {
		size += len(r.record)
	}
	for size < maxCommitBytes {
		select {
		case r := <-s.queue:
			group = append(group, r)
			size += len(r.record)
		default:
			return group
		}
	}
	return group
}

func (s *Spool) commit(group []*request) {
	started := s.now()
	batch := s.db.NewBatch()
	next := s.build(batch, group, started)
	err := s.write(batch)
	if err == nil {
		s.publish(next)
		s.observe(group, started)
	}
	for _, r := range group {
		if r.repair != nil {
			r.done <- s.replaceDamaged(r.repair)
			continue
		}
		r.done <- err
	}
}

// build puts the group into the batch and returns where the spool stands when
// it is written.
func (s *Spool) build(batch *pebble.Batch, group []*request, now time.Time) position {
	s.building.Lock()
	defer s.building.Unlock()
	pos := s.position()
	_ = batch.LogData(pos.id[:], nil) // see commitMark
	for _, r := range group {
		switch {
		case r.abandoned, r.repair != nil:
		case r.state != nil:
			pos.move(batch, *r.state)
		default:
			pos.append(batch, r.record, now)
		}
	}
	return pos
}

// write commits the batch with an fsync. Every commit has one, also those
// that only move the state: whatever lies behind a commit in the log proves
// that the commit was safe on disk, which is how a start tells damage from
// the torn end of a log.
func (s *Spool) write(batch *pebble.Batch) error {
	if err := s.failure(); err != nil {
		return err
	}
	if batch.Count() == 0 {
		return batch.Close()
	}
	if err := s.db.Apply(batch, pebble.Sync); err != nil {
		return s.fail(err)
	}
	// Apply knows nothing of an error of the log: see guardFS.
	if err := s.failure(); err != nil {
		return err
	}
	return batch.Close()
}

func (s *Spool) observe(group []*request, started time.Time) {
	if s.opts.OnCommit == nil {
		return
	}
	c := Commit{Took: s.now().Sub(started)}
	for _, r := range group {
		if r.state != nil || r.repair != nil {
			continue
		}
		c.Records++
		c.Bytes += len(r.record)
		c.Waited = max(c.Waited, started.Sub(r.queued))
	}
	s.opts.OnCommit(c)
}
