package spool

import (
	"context"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// maxQueued and maxQueuedBytes bound the waiting requests. Beyond them Append waits, so a slow disk slows the
	// senders down and does not fill the memory.
	maxQueued      = 1024
	maxQueuedBytes = 2 * MaxRecord
	// maxCommitBytes bounds one commit, which must fit into a memtable.
	maxCommitBytes = 4 << 20
)

// request asks the committer to append one record with notes, to replace the state, or to repair a damaged database.
type request struct {
	record []byte
	notes  []Note
	state  *state
	repair *CorruptionError
	done   chan error
}

// Append stores a record. It returns nil only when the record is on disk with
// fsync. Then Next hands it out, once, in the order of the commits.
//
// The notes are written in the same commit: all of it is on disk, or nothing.
//
// When ctx ends first Append returns its error, and the record may or may not be stored. The same holds for ErrFailed
// and ErrClosed. The caller must not change record and notes afterwards.
func (s *Spool) Append(ctx context.Context, record []byte, notes ...Note) error {
	if n := len(record) + sizeOf(notes); n > MaxRecord {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, n, MaxRecord)
	}
	if err := s.admit(len(record)); err != nil {
		return err
	}
	if err := s.room.Acquire(ctx, int64(len(record))); err != nil {
		return err
	}
	defer s.room.Release(int64(len(record)))
	return s.submit(ctx, &request{record: record, notes: notes, done: make(chan error, 1)})
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
		return ctx.Err()
	case <-s.life.Done():
		return s.failure()
	case <-s.stopped:
	}
	// The committer has ended, before it saw this request or after it finished it.
	select {
	case err := <-r.done:
		return err
	default:
		return ErrClosed
	}
}

// runCommitter is the one goroutine that writes. It takes all waiting requests, numbers the records, writes them with
// one fsync, and only then releases their callers. A record therefore never becomes visible before one with a smaller
// number, and a commit never begins before the last is on disk.
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

// maxLinger is about the time of an fsync. It bounds the useless wait of a single request after a burst.
const maxLinger = 3 * time.Millisecond

// linger waits for more requests after a commit that released several. Their callers come back one by one, and if the
// first of them began a commit of its own, all others would wait for two. Half of them are enough: then one half is
// written while the other half is answered.
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

// gather adds the waiting requests to group.
func (s *Spool) gather(group []*request) []*request {
	size := 0
	for _, r := range group {
		size += r.size()
	}
	for size < maxCommitBytes {
		select {
		case r := <-s.queue:
			group = append(group, r)
			size += r.size()
		default:
			return group
		}
	}
	return group
}

// maxUnflushed is how many memtables may wait for their flush.
const maxUnflushed = 3

// awaitFlush returns when there is room in memory for a commit, or when the spool fails or closes. When flushes fall
// behind, Pebble itself would make a writer wait, without end if the disk is full or has failed.
//
// It looks at the memtables' size too: the first ones are small, and Pebble
// flushes them only when they are large together.
func (s *Spool) awaitFlush() {
	for s.unflushed.Load() > maxUnflushed && s.db.Metrics().MemTable.Size > maxUnflushed*s.opts.memTable {
		select {
		case <-s.flushed:
		case <-s.life.Done():
			return
		case <-s.closing:
			return
		}
	}
}

func (s *Spool) commit(group []*request) {
	started := s.now()
	batch, next := s.build(group, started)
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

// build returns the group's commit, and the position after it.
func (s *Spool) build(group []*request, now time.Time) (*pebble.Batch, position) {
	pos := s.position()
	batch := newBatch(s.db, pos.id)
	for _, r := range group {
		switch {
		case r.state != nil:
			pos.move(batch, *r.state)
		case r.repair == nil:
			pos.append(batch, r.record, now)
			putNotes(batch, r.notes)
		}
	}
	return batch, pos
}

// write commits the batch with an fsync. Every commit has one, also those that only move the state: whatever follows a
// commit in the log proves that the commit was safe on disk. A start uses this to tell damage from the torn end of a
// log.
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
	// guardFS keeps errors of the log from Apply.
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
		if r.state == nil && r.repair == nil {
			c.Records++
		}
	}
	s.opts.OnCommit(c)
}
