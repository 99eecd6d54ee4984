package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// InsertEvents stores events in one block, once for each token, and then marks those that came through a spool as
// stored: from then on Follow returns them. After an error the events may be stored; InsertEventsAgain completes the
// insert.
func (s *Store) InsertEvents(ctx context.Context, token string, events []event.Event) error {
	if err := s.insertEvents(ctx, token, events); err != nil {
		return err
	}
	return s.markStored(ctx, events)
}

// InsertEventsAgain is InsertEvents for a token that may have been sent before. ClickHouse writes an insert's token
// before its rows: a server that was killed in between knows the token and lacks the rows. Missing events are
// therefore inserted with another token, and with a third one if the server was killed there, too.
func (s *Store) InsertEventsAgain(ctx context.Context, token string, events []event.Event) error {
	err := s.insertEvents(ctx, token, events)
	missing := events
	for try := 0; err == nil && try < otherTokens; try++ {
		if missing, err = s.lost(ctx, missing); err != nil || len(missing) == 0 {
			break
		}
		token += againSuffix
		err = s.insertEvents(ctx, token, missing)
	}
	if err != nil {
		return err
	}
	return s.markStored(ctx, events)
}

const (
	// againSuffix turns a token whose rows ClickHouse has lost into another one. An insert is tried with otherTokens.
	againSuffix = "-again"
	otherTokens = 2
	// insertSettles is longer than an insert takes from its token to its rows.
	insertSettles = 2 * time.Second
)

// lost returns the inserted events that are not stored, and will not be.
func (s *Store) lost(ctx context.Context, events []event.Event) ([]event.Event, error) {
	missing, _, err := s.SplitStored(ctx, events)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	select { // an earlier insert may be about to finish
	case <-time.After(insertSettles):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	missing, _, err = s.SplitStored(ctx, missing)
	return missing, err
}

// SplitStored splits events into those that are not stored and the ids of those that are.
func (s *Store) SplitStored(ctx context.Context, events []event.Event) (missing []event.Event, stored []uuid.UUID,
	err error) {
	ids := make([]uuid.UUID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	there, err := s.StoredEvents(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	for i := range events {
		if id := events[i].ID; there[id] {
			stored = append(stored, id)
		} else {
			missing = append(missing, events[i])
		}
	}
	return missing, stored, nil
}

func (s *Store) insertEvents(ctx context.Context, token string, events []event.Event) error {
	return s.insert(ctx, token, "events ("+strings.Join(eventColumns, ", ")+", body_text)",
		func(batch driver.Batch) error {
			for i := range events {
				if err := appendEvent(batch, &events[i]); err != nil {
					return fmt.Errorf("event %s: %w", events[i].ID, err)
				}
			}
			return nil
		})
}

func appendEvent(batch driver.Batch, e *event.Event) error {
	eventAt := e.ReceivedAt
	if e.EventAt != nil {
		eventAt = *e.EventAt
	}
	ip := ""
	if e.RemoteIP.IsValid() {
		ip = e.RemoteIP.String()
	}
	return batch.Append(
		e.ID, e.ReceivedAt, e.Source, e.Step, string(e.Kind), string(e.Verdict),
		e.Method, e.Path, e.Query, ip, headerTuples(e.Headers), e.Body, hex.EncodeToString(e.BodySHA256[:]),
		hex.EncodeToString(e.TraceID[:]), hex.EncodeToString(e.SpanID[:]),
		e.BothelpUserID, e.MessengerUserID, e.MessengerUsername, e.CUID, e.Ref,
		e.Name, e.FirstName, e.LastName, e.Email, e.Phone, e.ProfileLink, e.Channel,
		e.ConversationsCount, e.CreatedAt, e.FirstContactAt, e.LastContactAt,
		e.UTMSource, e.UTMMedium, e.UTMCampaign, e.UTMContent, e.UTMTerm,
		e.Fields, eventAt, e.DecodeError, e.DuplicateOf, e.Spool, e.SpoolNumber,
		uint64(e.PositionOffset.Microseconds()), e.Acceptance.By, epochIfZero(e.Acceptance.At),
		string(e.Acceptance.Was), e.BodyText,
	)
}

// Quarantined is an event that ClickHouse refuses, with all its bytes.
type Quarantined struct {
	ID         uuid.UUID
	ReceivedAt time.Time
	Source     string
	Error      string
	Record     []byte // as in the spool
}

// InsertQuarantine stores an event that the table events refuses, unless it is stored already. It uses no token: a
// server that was killed between an insert's token and its rows would drop the event when it is sent again.
func (s *Store) InsertQuarantine(ctx context.Context, q Quarantined) error {
	where := &conditions{}
	where.addTime("received_at = {}", q.ReceivedAt)
	where.add("id = {}", "UUID", q.ID.String())
	sum := sha256.Sum256(q.Record) // the record may be too long for a parameter
	where.add("lower(hex(SHA256(record))) = {}", "String", hex.EncodeToString(sum[:]))
	var stored uint64
	if err := s.conn.QueryRow(ctx, "SELECT count() FROM quarantine WHERE "+where.String(),
		where.args...).Scan(&stored); err != nil || stored > 0 {
		return explain("look for a quarantined event", err)
	}
	return s.insert(ctx, "", "quarantine (id, received_at, source, error, record)", func(batch driver.Batch) error {
		return batch.Append(q.ID, q.ReceivedAt, q.Source, q.Error, q.Record)
	})
}
