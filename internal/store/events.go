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

// eventColumns are the columns of events in the order in which appendEvent writes and scanEvent reads them. The
// server's clock sets stored_at, and only searches need body_text, so both are missing.
var eventColumns = []string{
	"id", "received_at", "source", "step", "kind", "verdict",
	"method", "path", "query", "remote_ip", "headers", "body", "body_sha256", "trace_id", "span_id",
	"bothelp_user_id", "messenger_user_id", "messenger_username", "cuid", "ref",
	"name", "first_name", "last_name", "email", "phone", "profile_link", "channel",
	"conversations_count", "created_at", "first_contact_at", "last_contact_at",
	"utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term",
	"fields", "event_at", "decode_error", "duplicate_of", "spool", "spool_number", "position_offset",
	"accepted_by", "accepted_at", "rejected_as",
}

// scanEvent reads wholeColumns or briefColumns; the latter leave out headers and body, which may be large.
var (
	wholeColumns = strings.Join(eventColumns, ", ") + ", stored_at"
	briefColumns = strings.NewReplacer("headers,", "[]::Array(Tuple(name String, value String)),", "body,",
		"'',").Replace(wholeColumns)
)

// Page selects rows of a list.
type Page struct {
	Limit  int
	Before *Cursor // rows older than this one; nil for the newest
}

// Cursor is the position of an event in a list, or of a delivery in a queue. At is the event's time of receipt or, for
// a delivery, the event's position.
type Cursor struct {
	At time.Time
	ID uuid.UUID
}

// ListEvents returns selected events, the newest first, without headers and body. Rejected ones are few among the
// others: it goes back to them in steps of time, because ClickHouse would read the ids of those of all months at once.
func (s *Store) ListEvents(ctx context.Context, sel event.Selection, page Page) (found []event.Event, err error) {
	if !sel.OnlyRejected() || len(sel.IDs) > 0 {
		return s.listEvents(ctx, sel, page)
	}
	begin, end, _, err := s.span(ctx, sel, page)
	if err != nil {
		return nil, err
	}
	const patience = 24 * time.Hour // the context ends before
	_, err = stepBack(begin, end, end.Sub(begin), patience, s.eventsBetween(ctx, sel, page, &found))
	return found, err
}

// eventsBetween returns a step of stepBack that appends the events of a page to found.
func (s *Store) eventsBetween(ctx context.Context, sel event.Selection, page Page, found *[]event.Event) func(from,
	until time.Time) (full bool, err error) {
	return func(from, until time.Time) (full bool, err error) {
		sel.From, sel.Until = &from, &until
		more, err := s.listEvents(ctx, sel, Page{Limit: page.Limit - len(*found), Before: page.Before})
		*found = append(*found, more...)
		return len(*found) >= page.Limit, err
	}
}

func (s *Store) listEvents(ctx context.Context, sel event.Selection, page Page) ([]event.Event, error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	if page.Before != nil {
		where.addTime("received_at <= {}", page.Before.At)
		where.addTime("(received_at, id) < ({}, toUUID('"+page.Before.ID.String()+"'))", page.Before.At)
	}
	return s.queryEvents(ctx, where, briefColumns, fmt.Sprintf("ORDER BY received_at DESC, id DESC LIMIT %d",
		page.Limit))
}

// CountEvents counts selected events up to atMost; 0 means no limit.
func (s *Store) CountEvents(ctx context.Context, sel event.Selection, atMost uint64) (n uint64, err error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return 0, err
	}
	sql := fmt.Sprintf("SELECT count() FROM %s WHERE %s", where.events(), where)
	if atMost > 0 {
		sql = fmt.Sprintf("SELECT count() FROM (SELECT 1 FROM %s WHERE %s LIMIT %d)", where.events(), where, atMost)
	}
	err = s.asking(where).conn.QueryRow(where.limited(ctx), sql, where.args...).Scan(&n)
	return n, where.blame(explain("count events", err))
}

// Event returns one event with headers and body, or ErrNotFound.
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

// Events returns those of the events that are stored, with headers and body, in order of arrival; of an event that was
// accepted after it was rejected, the accepted row.
func (s *Store) Events(ctx context.Context, ids []uuid.UUID) ([]event.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where := &conditions{}
	where.identified(ids)
	return s.queryEvents(ctx, where, wholeColumns, "ORDER BY received_at, id, verdict != 'accepted' LIMIT 1 BY id")
}

// queryEvents returns the events that match the conditions; tail is the query's ORDER BY and LIMIT.
func (s *Store) queryEvents(ctx context.Context, where *conditions, columns, tail string) ([]event.Event, error) {
	sql := fmt.Sprintf("SELECT %s FROM %s WHERE %s %s", columns, where.events(), where, tail)
	events, err := collect(where.limited(ctx), s.asking(where).conn, "read events", sql, where.args, scanEvent)
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
		&e.Fields, &eventAt, &e.DecodeError, &e.DuplicateOf, &e.Spool, &e.SpoolNumber, &offset,
		&e.Acceptance.By, &e.Acceptance.At, (*string)(&e.Acceptance.Was), &e.StoredAt,
	)
	if err != nil {
		return err
	}
	e.PositionOffset = time.Duration(offset) * time.Microsecond
	e.Acceptance.At = zeroIfEpoch(e.Acceptance.At)
	e.Kind = event.Kind(kind)
	e.Verdict = event.Verdict(verdict)
	e.Body = []byte(body)
	if !eventAt.Equal(e.ReceivedAt) {
		e.EventAt = &eventAt
	}
	if ip != "" {
		_ = e.RemoteIP.UnmarshalText([]byte(ip)) // always valid: appendEvent wrote it
	}
	e.Headers = headersFrom(headers)
	_, _ = hex.Decode(e.BodySHA256[:], []byte(sha))
	_, _ = hex.Decode(e.TraceID[:], []byte(trace))
	_, _ = hex.Decode(e.SpanID[:], []byte(span))
	return nil
}

// headerTuples returns headers as a value of Array(Tuple(name String, value String)).
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

// ListStored returns selected events that were stored since a time, in order of receipt, the newest first, without
// headers and body; at most limit. The index of stored_at skips older ones.
func (s *Store) ListStored(ctx context.Context, sel event.Selection, since time.Time, limit int) ([]event.Event,
	error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	where.addTime("stored_at >= {}", since)
	return s.queryEvents(ctx, where, briefColumns, fmt.Sprintf("ORDER BY received_at DESC, id DESC LIMIT %d", limit))
}

// LastEvent returns the newest accepted event of a source; the zero time if there is none.
func (s *Store) LastEvent(ctx context.Context, source string) (at time.Time, id uuid.UUID, err error) {
	found, err := s.ListEvents(ctx, event.Selection{Sources: []string{source},
		Verdicts: []event.Verdict{event.Accepted}}, Page{Limit: 1})
	if err != nil || len(found) == 0 {
		return at, id, err
	}
	return found[0].ReceivedAt, found[0].ID, nil
}

// FirstEvent returns when the oldest event was received; the zero time if there is none. It is cheap, because
// ClickHouse knows the minimum of each part.
func (s *Store) FirstEvent(ctx context.Context) (first time.Time, err error) {
	err = s.conn.QueryRow(ctx, "SELECT min(received_at) FROM events").Scan(&first)
	return zeroIfEpoch(first), explain("find the oldest event", err)
}
