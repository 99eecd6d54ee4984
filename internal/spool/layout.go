package spool

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// The database has three kinds of key; doc.go draws their bytes. The state and the notes sort behind every record: a
// table that holds the newest state and the newest records then overlaps only the newest tables, and compactions need
// not rewrite the backlog.
const (
	recordPrefix = 'r'
	statePrefix  = 's'
)

const (
	layoutVersion = 2 // of the state

	recordKeyLen    = 1 + 8
	recordHeaderLen = 8 + 8
	idLen           = 16
	stateLen        = 1 + idLen + 5*8
)

var stateKey = []byte{statePrefix}

var (
	errRecordKey   = errors.New("not a record's key")
	errRecordShort = errors.New("record shorter than its header")
	errState       = errors.New("state has an unknown form")
)

func recordKey(seq uint64) []byte {
	return appendRecordKey(make([]byte, 0, recordKeyLen), seq)
}

func appendRecordKey(b []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, recordPrefix), seq)
}

func parseRecordKey(key []byte) (seq uint64, err error) {
	if len(key) != recordKeyLen || key[0] != recordPrefix {
		return 0, errRecordKey
	}
	return binary.BigEndian.Uint64(key[1:]), nil
}

// header precedes each record's bytes.
type header struct {
	appended time.Time
	// total counts the bytes of all records up to and including this one, since the spool was created. What waits is a
	// difference of two totals, and no start has to count a backlog.
	total uint64
}

func (h header) put(b []byte) {
	binary.BigEndian.PutUint64(b[0:], uint64(h.appended.UnixNano()))
	binary.BigEndian.PutUint64(b[8:], h.total)
}

// parseRecord splits a stored value into its header and the record, which shares the value's memory.
func parseRecord(value []byte) (header, []byte, error) {
	if len(value) < recordHeaderLen {
		return header{}, nil, errRecordShort
	}
	return header{
		appended: time.Unix(0, int64(binary.BigEndian.Uint64(value[0:]))),
		total:    binary.BigEndian.Uint64(value[8:]),
	}, value[recordHeaderLen:], nil
}

// state is the spool's state except its records. It is always replaced as a
// whole, in the same commit as the change that it describes.
type state struct {
	id [idLen]byte
	// acked is the last number acked; ackedTotal is that record's total.
	acked, ackedTotal uint64
	// fixed is the last number of the batch that was handed out and is not
	// yet acked; it equals acked while no batch is.
	fixed uint64
	// salvaged is the last number that was salvaged from damage.
	salvaged uint64
	// mark is the consumer's Mark of the last ack.
	mark uint64
}

func (s state) encode() []byte {
	b := make([]byte, 0, stateLen)
	b = append(b, layoutVersion)
	b = append(b, s.id[:]...)
	for _, n := range []uint64{s.acked, s.ackedTotal, s.fixed, s.salvaged, s.mark} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func parseState(b []byte) (s state, err error) {
	if len(b) != stateLen || b[0] != layoutVersion {
		return state{}, errState
	}
	copy(s.id[:], b[1:])
	b = b[1+idLen:]
	for i, n := range []*uint64{&s.acked, &s.ackedTotal, &s.fixed, &s.salvaged, &s.mark} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	if s.fixed < s.acked {
		return state{}, errState
	}
	return s, nil
}

// position is where a spool is: its state and its last record.
type position struct {
	state
	last, lastTotal uint64
}

// name returns the spool's id as tokens contain it.
func (p position) name() string { return hex.EncodeToString(p.id[:]) }

func (p position) waiting() uint64      { return p.last - p.acked }
func (p position) waitingBytes() uint64 { return p.lastTotal - p.ackedTotal }

func (p position) stat() Stat {
	return Stat{Records: p.waiting(), Bytes: p.waitingBytes(), Appended: p.last, Acked: p.acked}
}

// reach returns the last number that the next batch may contain: a batch does not mix salvaged records with others.
func (p position) reach() uint64 {
	if p.acked < p.salvaged {
		return min(p.salvaged, p.last)
	}
	return p.last
}

// newBatch returns a commit of the spool with this id; see commitMark.
func newBatch(db *pebble.DB, id [idLen]byte) *pebble.Batch {
	batch := db.NewBatch()
	_ = batch.LogData(id[:], nil)
	return batch
}

// append adds a record to the batch.
func (p *position) append(batch *pebble.Batch, record []byte, now time.Time) {
	p.last++
	p.lastTotal += uint64(len(record))
	set := batch.SetDeferred(recordKeyLen, recordHeaderLen+len(record))
	appendRecordKey(set.Key[:0], p.last)
	header{appended: now, total: p.lastTotal}.put(set.Value)
	copy(set.Value[recordHeaderLen:], record)
	_ = set.Finish() // fails only for a batch with an index
}

// move adds a change of state to the batch, and deletes the records acked by it.
func (p *position) move(batch *pebble.Batch, to state) {
	_ = batch.Set(stateKey, to.encode(), nil)
	if to.acked > p.acked {
		_ = batch.DeleteRange(recordKey(p.acked+1), recordKey(to.acked+1), nil)
	}
	p.state = to
}

// position returns the durable position.
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
