package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// RecordOutcomes stores new states of deliveries and the attempts that led to them, once for each token.
func (s *Store) RecordOutcomes(ctx context.Context, token string, deliveries []event.Delivery, attempts []event.Attempt) error {
	if len(attempts) > 0 {
		if err := s.insertAttempts(ctx, token, attempts); err != nil {
			return err
		}
	}
	return s.insertDeliveries(ctx, token, deliveries)
}

// InsertDeliveries stores deliveries that were just decided on. To do so twice is to do it once: a state never replaces a
// later one.
func (s *Store) InsertDeliveries(ctx context.Context, deliveries []event.Delivery) error {
	return s.insertDeliveries(ctx, "", deliveries)
}

func (s *Store) insertDeliveries(ctx context.Context, token string, deliveries []event.Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	return s.insert(ctx, token, "deliveries ("+deliveryColumns+", version)", func(batch driver.Batch) error {
		for i := range deliveries {
			d := known(deliveries[i])
			if err := batch.Append(d.ReplayID, d.Endpoint, d.EventReceivedAt, d.Position(), d.EventID, string(d.State), d.Attempts,
				epochIfZero(d.NextAt), d.StatusCode, d.Error, d.UpdatedAt, d.Subscriber, d.CreatedAt, d.Version()); err != nil {
				return fmt.Errorf("delivery of event %s: %w", d.EventID, err)
			}
		}
		return nil
	})
}

// known fills in what an outcome lacks that was noted before deliveries had it, as the columns' defaults do.
func known(d event.Delivery) event.Delivery {
	if d.Subscriber == "" {
		d.Subscriber = d.EventID.String()
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = d.EventReceivedAt
	}
	return d
}

const attemptColumns = `id, event_id, endpoint, url, replay_id, number, started_at, duration_ms, outcome, status_code, error, request_headers, response_headers, response_body, trace_id`

func (s *Store) insertAttempts(ctx context.Context, token string, attempts []event.Attempt) error {
	return s.insert(ctx, token, "attempts ("+attemptColumns+")", func(batch driver.Batch) error {
		for _, a := range attempts {
			if err := batch.Append(a.ID, a.EventID, a.Endpoint, a.URL, a.ReplayID, a.Number, a.StartedAt,
				float64(a.Duration)/float64(time.Millisecond), string(a.Outcome), a.StatusCode, a.Error,
				headerTuples(a.RequestHeaders), headerTuples(a.ResponseHeaders), a.ResponseBody, hex.EncodeToString(a.TraceID[:])); err != nil {
				return fmt.Errorf("attempt %s: %w", a.ID, err)
			}
		}
		return nil
	})
}

// StoredAttempts tells which of some attempts are stored already, by their ids.
func (s *Store) StoredAttempts(ctx context.Context, attempts []event.Attempt) (map[uuid.UUID]bool, error) {
	stored := map[uuid.UUID]bool{}
	for part := range slices.Chunk(attempts, maxParameters) {
		begun := func(a, b event.Attempt) int { return a.StartedAt.Compare(b.StartedAt) }
		ids := make([]uuid.UUID, len(part))
		for i, a := range part {
			ids[i] = a.ID
		}
		where := &conditions{}
		where.add("started_at >= {}", "DateTime64(6,'UTC')", micros(slices.MinFunc(part, begun).StartedAt))
		where.add("started_at <= {}", "DateTime64(6,'UTC')", micros(slices.MaxFunc(part, begun).StartedAt))
		where.add("id IN {}", "Array(UUID)", uuidStrings(ids))
		found, err := collect(ctx, s.conn, "look for stored attempts", fmt.Sprintf("SELECT id FROM attempts WHERE %s", where), where.args,
			func(rows driver.Rows, id *uuid.UUID) error { return rows.Scan(id) })
		if err != nil {
			return nil, err
		}
		for _, id := range found {
			stored[id] = true
		}
	}
	return stored, nil
}

// AttemptsOf returns every attempt to deliver an event, in order of time.
func (s *Store) AttemptsOf(ctx context.Context, eventID uuid.UUID) ([]event.Attempt, error) {
	where := &conditions{}
	where.add("event_id = {}", "UUID", eventID.String())
	return s.queryAttempts(ctx, where)
}

func (s *Store) queryAttempts(ctx context.Context, where *conditions) ([]event.Attempt, error) {
	return collect(ctx, s.conn, "read attempts", fmt.Sprintf("SELECT %s FROM attempts WHERE %s ORDER BY started_at, number LIMIT 1 BY id",
		attemptColumns, where), where.args, scanAttempt)
}

func scanAttempt(rows driver.Rows, a *event.Attempt) error {
	var millis float64
	var outcome, trace, body string
	var sent, headers []map[string]any
	if err := rows.Scan(&a.ID, &a.EventID, &a.Endpoint, &a.URL, &a.ReplayID, &a.Number, &a.StartedAt, &millis,
		&outcome, &a.StatusCode, &a.Error, &sent, &headers, &body, &trace); err != nil {
		return err
	}
	a.Duration = time.Duration(millis * float64(time.Millisecond))
	a.Outcome, a.ResponseBody = event.Outcome(outcome), []byte(body)
	a.RequestHeaders, a.ResponseHeaders = headersFrom(sent), headersFrom(headers)
	_, _ = hex.Decode(a.TraceID[:], []byte(trace))
	return nil
}
