package ingest

import (
	"context"
	"errors"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/spool"
)

// appendPause is the time between two attempts to put an outcome on a full disk.
const appendPause = time.Second

// record puts the outcome on disk, and removes the note of the intent in the same commit. While the disk is full it
// tries again.
func (x *exchange) record() {
	if err := x.server.recordOutcome(&x.attempt); err != nil {
		x.server.logger.Error("the outcome of a forwarded request could not be stored; the next start records it as "+
			"unknown",
			"event_id", x.attempt.EventID.String(), "error", err)
	}
}

func (s *Server) recordOutcome(a *event.Attempt) error {
	record := event.Record{Outcome: a}
	data, err := record.Marshal()
	if err != nil {
		return err
	}
	for {
		err := s.spool.Append(s.patience, data, spool.Note{ID: a.ID})
		if !errors.Is(err, spool.ErrFull) {
			return err
		}
		select {
		case <-time.After(appendPause):
		case <-s.stopping.Done():
			return err
		}
	}
}

// intentOf returns the note of an attempt that is about to be made. After a crash the attempt is unknown.
func intentOf(a *event.Attempt) spool.Note {
	lost := *a
	lost.Outcome, lost.Error = event.OutcomeUnknown, "hooktape ended before it could record the answer"
	value, err := event.Encoding.Marshal(lost)
	if err != nil {
		value = []byte{} // never: it has only texts, ids and times
	}
	return spool.Note{ID: a.ID, Value: value}
}

// recordLost records the attempts that an earlier process has begun and not ended. Nothing is sent again: the bots have
// no answer to wait for.
func (s *Server) recordLost(notes []spool.Note) {
	for _, note := range notes {
		var a event.Attempt
		if err := event.Decoding.Unmarshal(note.Value, &a); err != nil {
			s.logger.Error("the note of a forwarded request cannot be read", "error", err)
			continue
		}
		if err := s.recordOutcome(&a); err != nil {
			s.logger.Error("the lost outcome of a forwarded request could not be stored; the next start tries it again",
				"event_id", a.EventID.String(), "error", err)
			return
		}
		s.lost.Add(context.Background(), 1)
	}
	if len(notes) > 0 {
		s.logger.Warn("requests were being forwarded when hooktape ended; their attempts are unknown", "requests",
			len(notes))
	}
}
