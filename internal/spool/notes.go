package spool

import (
	"bytes"

	"github.com/cockroachdb/pebble/v2"
)

// Note is a small value that the spool keeps beside the records until another Append removes it. A note that is written
// with one record and removed with another tells, after a crash, that the second one was never appended.
type Note struct {
	ID    [16]byte
	Value []byte // nil removes the note
}

// Notes returns all notes.
func (s *Spool) Notes() (notes []Note, err error) {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if s.closed {
		return nil, ErrClosed
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{notePrefix}, UpperBound: []byte{notePrefix + 1}})
	if err != nil {
		return nil, s.corrupt(err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if id, ok := parseNoteKey(it.Key()); ok {
			notes = append(notes, Note{ID: id, Value: bytes.Clone(it.Value())})
		}
	}
	return notes, s.corrupt(it.Close())
}

// notePrefix sorts the notes behind the state: see layout.go.
const notePrefix = 't'

func (n *Note) key() []byte { return append([]byte{notePrefix}, n.ID[:]...) }

func parseNoteKey(key []byte) (id [16]byte, ok bool) {
	if len(key) != 1+len(id) || key[0] != notePrefix {
		return id, false
	}
	return [16]byte(key[1:]), true
}

// putNotes adds a change of notes to a commit.
func putNotes(batch *pebble.Batch, notes []Note) {
	for _, n := range notes {
		if n.Value == nil {
			_ = batch.Delete(n.key(), nil)
		} else {
			_ = batch.Set(n.key(), n.Value, nil)
		}
	}
}

func sizeOf(notes []Note) (size int) {
	for _, n := range notes {
		size += len(n.ID) + len(n.Value)
	}
	return size
}

func (r *request) size() int { return len(r.record) + sizeOf(r.notes) }
