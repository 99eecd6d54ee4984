package ingest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"hooktape/internal/bothelp"
	"hooktape/internal/event"
	"hooktape/internal/spool"
)

// maxDecoded bounds the decoded values of a batch, in bytes. The batch itself is bounded, but each small record may be
// a gzip bomb, and anyone can fill the spool with those.
const maxDecoded = 32 << 20

// decode decodes a batch of the spool into events and the attempts to forward some of them, on all processors. It
// returns spool.ErrRefused for an invalid record, which can never be stored, and for several records whose values
// together exceed maxDecoded: they come again in smaller batches.
func decode(batch spool.Batch, kind func(source string) event.Kind) (events []event.Event, attempts []event.Attempt,
	err error) {
	records := batch.Records
	events = make([]event.Event, len(records))
	outcomes := make([]*event.Attempt, len(records))
	var group errgroup.Group
	var decoded atomic.Int64
	share := (len(records) + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0)
	for start := 0; start < len(records); start += share {
		group.Go(func() error {
			for i := start; i < min(start+share, len(records)); i++ {
				var err error
				if outcomes[i], err = decodeOne(&events[i], records[i], kind); err != nil {
					return fmt.Errorf("%w: %w", spool.ErrRefused, err)
				}
				events[i].Spool, events[i].SpoolNumber = batch.Spool, batch.First+uint64(i)
				if decoded.Add(int64(decodedBytes(&events[i]))) > maxDecoded && len(records) > 1 {
					return fmt.Errorf("%w: the values of %d events exceed %d MiB; they are stored in smaller batches",
						spool.ErrRefused, len(records), maxDecoded>>20)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	held := events[:0]
	for i := range events {
		if outcomes[i] != nil {
			attempts = append(attempts, *outcomes[i])
		}
		if outcomes[i] == nil || events[i].ID != uuid.Nil {
			held = append(held, events[i])
		}
	}
	return held, attempts, nil
}

// decodeOne decodes a record. It returns the outcome of an attempt, if the record has one; the event is then zero
// unless the record has both.
func decodeOne(e *event.Event, data []byte, kind func(source string) event.Kind) (*event.Attempt, error) {
	var record event.Record
	if err := record.Unmarshal(data); err != nil {
		return nil, err
	}
	e.Received = record.Received
	if record.Outcome != nil && e.ID == uuid.Nil {
		return record.Outcome, nil
	}
	bothelp.Read(e, kind(e.Source))
	if note := mistyped(e.Path, e.Source); note != "" && e.Verdict == event.Accepted {
		e.DecodeError = strings.TrimSuffix(note+"; "+e.DecodeError, "; ")
	}
	return record.Outcome, nil
}

// decodedBytes estimates the memory of the values decoded from an event's body: those that can be large.
func decodedBytes(e *event.Event) int {
	n := len(e.BodyText)
	for _, text := range []string{e.BothelpUserID, e.MessengerUserID, e.MessengerUsername, e.CUID, e.Ref, e.Name,
		e.FirstName, e.LastName, e.Email, e.Phone, e.ProfileLink, e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMContent,
		e.UTMTerm, e.DecodeError} {
		n += len(text)
	}
	for name, value := range e.Fields {
		n += len(name) + len(value)
	}
	return n
}

// markDuplicates sets the original of each chat event that BotHelp has sent before. BotHelp repeats a chat webhook
// until it gets a 200. It does not repeat flow webhooks: equal ones are two visits.
func (s *Sink) markDuplicates(ctx context.Context, events []event.Event) error {
	var chat []event.Event
	for i := range events {
		if events[i].Verdict == event.Accepted && events[i].EventAt != nil {
			chat = append(chat, events[i])
		}
	}
	if len(chat) == 0 {
		return nil
	}
	originals, err := s.store.Originals(ctx, chat)
	if err != nil {
		return err
	}
	for i := range events {
		events[i].DuplicateOf = originals[events[i].ID]
	}
	return nil
}
