package spool

import (
	"encoding/hex"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// position is where a spool stands: its state and its last record.
type position struct {
	state
	last, lastTotal uint64
}

// name is the spool's id, as it is in tokens.
func (p position) name() string { return hex.EncodeToString(p.id[:]) }

func (p position) waiting() uint64      { return p.last - p.acked }
func (p position) waitingBytes() uint64 { return p.lastTotal - p.ackedTotal }

func (p position) stat() Stat {
	return Stat{Records: p.waiting(), Bytes: p.waitingBytes(), Appended: p.last, Acked: p.acked}
}

// append adds a record to the batch.
func (p *position) append(batch *pebble.Batch, record []byte, now time.Time) {
	p.last++
	p.lastTotal += uint64(len(record))
	set := batch.SetDeferred(recordKeyLen, recordHeaderLen+len(record))
	appendRecordKey(set.Key[:0], p.last)
	header{appended: now, total: p.lastTotal}.put(set.Value)
	copy(set.Value[recordHeaderLen:], record)
	// Only a batch with an index can fail to take it.
	_ = set.Finish()
}

// move adds a change of state to the batch, and forgets what it says is acked.
func (p *position) move(batch *pebble.Batch, to state) {
	_ = batch.Set(stateKey, to.encode(), nil)
	if to.acked > p.acked {
		_ = batch.DeleteRange(recordKey(p.acked+1), recordKey(to.acked+1), nil)
	}
	p.state = to
}

// position is what is durable now.
func (s *Spool) position() position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pos
}

// publish makes a committed position visible to the consumer.
func (s *Spool) publish(p position) {
	s.mu.Lock()
	s.pos = p
	s.mu.Unlock()
	select {
	case s.grown <- struct{}{}:
	default:
	}
}
