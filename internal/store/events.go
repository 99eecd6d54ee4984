package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// eventColumns are the columns of events in the order in which appendEvent writes and scanEvent reads them.
// stored_at is absent because the server's clock fills it, and body_text because only searches need it.
var eventColumns = []string{
	"id", "received_at", "source", "step", "kind", "verdict",
	"method", "path", "query", "remote_ip", "headers", "body", "body_sha256", "trace_id", "span_id",
	"bothelp_user_id", "messenger_user_id", "messenger_username", "cuid", "ref",
	"name", "first_name", "last_name", "email", "phone", "profile_link", "channel",
	"conversations_count", "created_at", "first_contact_at", "last_contact_at",
	"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
	"fields", "event_at", "decode_error", "duplicate_of", "spool", "spool_number", "position_offset",
}

// wholeColumns and briefColumns are what scanEvent reads; the second leaves out the two that may be large.
var (
	wholeColumns = strings.Join(eventColumns, ", ") + ", stored_at"
	briefColumns = strings.NewReplacer("headers,", "[]::Array(Tuple(name String, value String)),", "body,", "'',").Replace(wholeColumns)
)

// InsertEvents stores events in one block, once for each token, and then marks those that came through a spool as stored:
// from then on Follow returns them. When it returns an error the events may be stored; InsertEventsAgain completes it.
func (s *Store) InsertEvents(ctx context.Context, token string, events []event.Event) error {
	if err := s.insertEvents(ctx, token, events); err != nil {
		return err
	}
	return s.markStored(ctx, events)
}

// InsertEventsAgain is InsertEvents for a token that may have been sent before. ClickHouse writes an insert's token down
// before its rows: a server that was killed in between knows the token and lacks the rows. So what is not there is inserted
// under another token.
func (s *Store) InsertEventsAgain(ctx context.Context, token string, events []event.Event) error {
	if err := s.insertEvents(ctx, token, events); err != nil {
		return err
	}
	missing, err := s.withoutStored(ctx, events)
	if err == nil && len(missing) > 0 {
		select { // the earlier insert may be just about to end
		case <-time.After(insertSettles):
			missing, err = s.withoutStored(ctx, missing)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err == nil && len(missing) > 0 {
		err = s.insertEvents(ctx, token+AgainSuffix, missing)
	}
	if err != nil {
		return err
	}
	return s.markStored(ctx, events)
}

// AgainSuffix makes another token of one whose rows ClickHouse has lost.
const AgainSuffix = "-again"

// insertSettles is longer than an insert takes between its token and its rows.
const insertSettles = 2 * time.Second

func (s *Store) withoutStored(ctx context.Context, events []event.Event) (missing []event.Event, err error) {
	ids := make([]uuid.UUID, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	stored, err := s.StoredEvents(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range events {
		if !stored[events[i].ID] {
			missing = append(missing, events[i])
		}
	}
	return missing, nil
}

func (s *Store) insertEvents(ctx context.Context, token string, events []event.Event) error {
	return s.insert(ctx, token, "events ("+strings.Join(eventColumns, ", ")+", body_text)", func(batch driver.Batch) error {
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
		e.Fields, eventAt, e.DecodeError, e.DuplicateOf, e.Spool, e.SpoolNumber, uint64(e.PositionOffset.Microseconds()), e.BodyText,
	)
}

// Quarantined is an event that ClickHouse refuses, kept whole.
type Quarantined struct {
	ID         uuid.UUID
	ReceivedAt time.Time
	Source     string
	Error      string
	Record     []byte // as the spool had it
}

// InsertQuarantine keeps an event that the events table refuses.
func (s *Store) InsertQuarantine(ctx context.Context, token string, q Quarantined) error {
	return s.insert(ctx, token, "quarantine (id, received_at, source, error, record)", func(batch driver.Batch) error {
		return batch.Append(q.ID, q.ReceivedAt, q.Source, q.Error, q.Record)
	})
}

// Page says which rows of a list to read.
type Page struct {
	Limit  int
	Before *Cursor // rows older than this one; nil for the newest
}

// Cursor is the place of an event in a list, or of a delivery in a queue. At is when the event was received; of a delivery it
// is the event's position.
type Cursor struct {
	At time.Time
	ID uuid.UUID
}

// ListEvents returns selected events, newest first, without headers and body.
func (s *Store) ListEvents(ctx context.Context, sel event.Selection, page Page) ([]event.Event, error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	if page.Before != nil {
		where.add("received_at <= {}", "DateTime64(6,'UTC')", micros(page.Before.At))
		where.add("(received_at, id) < ({}, toUUID('"+page.Before.ID.String()+"'))", "DateTime64(6,'UTC')", micros(page.Before.At))
	}
	return s.queryEvents(ctx, where, briefColumns, fmt.Sprintf("ORDER BY received_at DESC, id DESC LIMIT %d", page.Limit))
}

// CountEvents counts selected events, and stops at atMost; 0 is no limit.
func (s *Store) CountEvents(ctx context.Context, sel event.Selection, atMost uint64) (n uint64, err error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return 0, err
	}
	sql := fmt.Sprintf("SELECT count() FROM %s WHERE %s", where.events(), where)
	if atMost > 0 {
		sql = fmt.Sprintf("SELECT count() FROM (SELECT 1 FROM %s WHERE %s LIMIT %d)", where.events(), where, atMost)
	}
	err = s.asking(where).QueryRow(where.limited(ctx), sql, where.args...).Scan(&n)
	return n, where.blame(explain("count events", err))
}

// Event returns one event whole, or ErrNotFound.
func (s *Store) Event(ctx context.Context, id uuid.UUID) (*event.Event, error) {
	events, err := s.Events(ctx, []uuid.UUID{id})
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("event %s: %w", id, ErrNotFound)
	}
	return &events[0], nil
}

// Events returns those of the events that are stored, whole, in order of arrival.
func (s *Store) Events(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where := &conditions{}
	where.identified(ids)
	return s.queryEvents(ctx, where, wholeColumns, "ORDER BY received_at, id LIMIT 1 BY id")
}

// queryEvents reads the events for which the conditions are true; tail is the query's ORDER BY and LIMIT.
func (s *Store) queryEvents(ctx context.Context, where *conditions, columns, tail string) ([]event.Event, error) {
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s %s", columns, where.events(), where, tail)
	events, err := collect(where.limited(ctx), s.asking(where), "read events", sql, where.args, scanEvent)
	return events, where.blame(err)
}

func scanEvent(rows driver.Rows, e *event.Event) error {
	var kind, verdict, ip, sha, trace, span, body string
	var headers []map[string]any
	var eventAt time.Time
	var offset uint64
	err := rows.Scan(
		&e.ID, &e.ReceivedAt, &e.Source, &e.Step, &kind, &verdict,
		&e.Method, &e.Path, &e.Query, &ip, &headers, &body, &sha, &trace, &span,
		&e.BothelpUserID, &e.MessengerUserID, &e.MessengerUsername, &e.CUID, &e.Ref,
		&e.Name, &e.FirstName, &e.LastName, &e.Email, &e.Phone, &e.ProfileLink, &e.Channel,
		&e.ConversationsCount, &e.CreatedAt, &e.FirstContactAt, &e.LastContactAt,
		&e.UTMSource, &e.UTMMedium, &e.UTMCampaign, &e.UTMContent, &e.UTMTerm,
		&e.Fields, &eventAt, &e.DecodeError, &e.DuplicateOf, &e.Spool, &e.SpoolNumber, &offset, &e.StoredAt,
	)
	if err != nil {
		return err
	}
	e.PositionOffset = time.Duration(offset) * time.Microsecond
	e.Kind, e.Verdict, e.Body = event.Kind(kind), event.Verdict(verdict), []byte(body)
	if !eventAt.Equal(e.ReceivedAt) {
		e.EventAt = &eventAt
	}
	if ip != "" {
		_ = e.RemoteIP.UnmarshalText([]byte(ip)) // our own spelling
	}
	e.Headers = headersFrom(headers)
	_, _ = hex.Decode(e.BodySHA256[:], []byte(sha))
	_, _ = hex.Decode(e.TraceID[:], []byte(trace))
	_, _ = hex.Decode(e.SpanID[:], []byte(span))
	return nil
}

// headerTuples are values of Array(Tuple(name String, value String)).
func headerTuples(headers []event.Header) [][]string {
	tuples := make([][]string, len(headers))
	for i, h := range headers {
		tuples[i] = []string{h.Name, h.Value}
	}
	return tuples
}

func headersFrom(tuples []map[string]any) []event.Header {
	headers := make([]event.Header, len(tuples))
	for i, t := range tuples {
		headers[i].Name, _ = t["name"].(string)
		headers[i].Value, _ = t["value"].(string)
	}
	return headers
}
