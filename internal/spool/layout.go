package spool

import (
	"encoding/binary"
	"errors"
	"time"
)

// Two kinds of key lie in the database; doc.go draws their bytes. The state
// sorts behind every record: a table that holds the newest state and the
// newest records then overlaps only the newest tables, and compactions need
// not rewrite the backlog.
const (
	recordPrefix = 'r'
	statePrefix  = 's'
)

const (
	layoutVersion = 2 // of the state; 1 had no mark

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

// header stands before each record's bytes.
type header struct {
	appended time.Time
	// total counts the bytes of all records up to and with this one, since
	// the spool was made: what waits is a difference of two totals, and no
	// start has to count a backlog.
	total uint64
}

func (h header) put(b []byte) {
	binary.BigEndian.PutUint64(b[0:], uint64(h.appended.UnixNano()))
	binary.BigEndian.PutUint64(b[8:], h.total)
}

// parseRecord splits a stored value into its header and the record, which
// shares the value's memory.
func parseRecord(value []byte) (header, []byte, error) {
	if len(value) < recordHeaderLen {
		return header{}, nil, errRecordShort
	}
	return header{
		appended: time.Unix(0, int64(binary.BigEndian.Uint64(value[0:]))),
		total:    binary.BigEndian.Uint64(value[8:]),
	}, value[recordHeaderLen:], nil
}

// state is all that the spool knows beside its records. It is replaced as a
// whole, in the same commit as what it speaks of.
type state struct {
	id [idLen]byte
	// acked is the last number that the consumer is done with; ackedTotal is
	// that record's total.
	acked, ackedTotal uint64
	// fixed is the last number of the batch that was handed out and is not
	// yet acked; it is acked itself while there is none.
	fixed uint64
	// suspect is the last number that was salvaged from damage.
	suspect uint64
	// mark is what the consumer noted with the last ack.
	mark uint64
}

func (s state) encode() []byte {
	b := make([]byte, 0, stateLen)
	b = append(b, layoutVersion)
	b = append(b, s.id[:]...)
	for _, n := range []uint64{s.acked, s.ackedTotal, s.fixed, s.suspect, s.mark} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func parseState(b []byte) (s state, err error) {
	switch {
	case len(b) == stateLen && b[0] == layoutVersion:
	case len(b) == stateLen-8 && b[0] == 1:
		b = append(b[:len(b):len(b)], make([]byte, 8)...) // without a mark
	default:
		return state{}, errState
	}
	copy(s.id[:], b[1:])
	b = b[1+idLen:]
	for i, n := range []*uint64{&s.acked, &s.ackedTotal, &s.fixed, &s.suspect, &s.mark} {
		*n = binary.BigEndian.Uint64(b[8*i:])
	}
	if s.fixed < s.acked {
		return state{}, errState
	}
	return s, nil
}
