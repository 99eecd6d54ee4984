package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/event"
)

const deliveryColumns = `replay_id, endpoint, event_received_at, event_id, state, attempts, next_at, status_code, error, updated_at, subscriber, created_at`

// RecordOutcomes stores new states of deliveries and the attempts that led to them, once for each token.
func (s *Store) RecordOutcomes(ctx context.Context, token string, deliveries []event.Delivery, attempts []event.Attempt) error {
	if len(attempts) > 0 {
		if err := s.insertAttempts(ctx, token, attempts); err != nil {
			return err
		}
	}
	if len(deliveries) == 0 {
		return nil
	}
	return s.insert(ctx, token, "deliveries ("+deliveryColumns+", version)", func(batch driver.Batch) error {
		for _, d := range deliveries {
			if err := batch.Append(d.ReplayID, d.Endpoint, d.EventReceivedAt, d.EventID, string(d.State), d.Attempts,
				epochIfZero(d.NextAt), d.StatusCode, d.Error, d.UpdatedAt, d.Subscriber, epochIfZero(d.CreatedAt), d.Version()); err != nil {
				return fmt.Errorf("delivery of event %s: %w", d.EventID, err)
			}
		}
		return nil
	})
}

func (s *Store) insertAttempts(ctx context.Context, token string, attempts []event.Attempt) error {
	return s.insert(ctx, token, "attempts ("+attemptColumns+")", func(batch driver.Batch) error {
		for _, a := range attempts {
			if err := batch.Append(a.ID, a.EventID, a.Endpoint, a.URL, a.ReplayID, a.Number, a.StartedAt,
				float64(a.Duration)/float64(time.Millisecond), string(a.Outcome), a.StatusCode, a.Error,
				headerTuples(a.ResponseHeaders), a.ResponseBody, hex.EncodeToString(a.TraceID[:])); err != nil {
				return fmt.Errorf("attempt %s: %w", a.ID, err)
			}
		}
		return nil
	})
}

const attemptColumns = `id, event_id, endpoint, url, replay_id, number, started_at, duration_ms, outcome, status_code, error, response_headers, response_body, trace_id`

// epochIfZero: Go's zero time lies before the first that a DateTime64 can hold.
func epochIfZero(t time.Time) time.Time {
	if t.IsZero() {
		return time.Unix(0, 0)
	}
	return t
}

// DueDeliveries returns deliveries of a replay to an endpoint that wait to be sent: those not tried yet or left in
// mid-flight by a crash, and those whose next attempt is due by now; after the cursor, in order of arrival.
func (s *Store) DueDeliveries(ctx context.Context, replayID uuid.UUID, endpoint string, after *Cursor, now time.Time, limit int) ([]event.Delivery, error) {
	where := &conditions{}
	where.add("replay_id = {}", "UUID", replayID.String())
	where.add("endpoint = {}", "String", endpoint)
	if after != nil {
		where.add("event_received_at >= {}", "DateTime64(6,'UTC')", micros(after.ReceivedAt))
		where.add("(event_received_at, event_id) > ({}, toUUID('"+after.ID.String()+"'))", "DateTime64(6,'UTC')", micros(after.ReceivedAt))
	}
	where.add("(state IN ('pending', 'delivering', 'unknown') OR (state = 'retrying' AND next_at <= {}))", "DateTime64(6,'UTC')", micros(now))
	return s.queryDeliveries(ctx, fmt.Sprintf("SELECT %s FROM deliveries FINAL WHERE %s ORDER BY event_received_at, event_id LIMIT %d",
		deliveryColumns, where, limit), where.args...)
}

// DeliveriesOf returns every delivery of an event, live first, then replays in order of their making.
func (s *Store) DeliveriesOf(ctx context.Context, eventID uuid.UUID) ([]event.Delivery, error) {
	where := &conditions{}
	where.add("event_id = {}", "UUID", eventID.String())
	return s.queryDeliveries(ctx, fmt.Sprintf("SELECT %s FROM deliveries FINAL WHERE %s ORDER BY toString(replay_id), endpoint",
		deliveryColumns, where), where.args...)
}

// CountDeliveries counts a replay's deliveries by state.
func (s *Store) CountDeliveries(ctx context.Context, replayID uuid.UUID) (map[event.DeliveryState]uint64, error) {
	where := &conditions{}
	where.add("replay_id = {}", "UUID", replayID.String())
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT state, count() FROM deliveries FINAL WHERE %s GROUP BY state", where), where.args...)
	if err != nil {
		return nil, explain("count deliveries", err)
	}
	defer rows.Close()
	counts := map[event.DeliveryState]uint64{}
	for rows.Next() {
		var state string
		var n uint64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, explain("count deliveries", err)
		}
		counts[event.DeliveryState(state)] = n
	}
	return counts, explain("count deliveries", rows.Err())
}

func (s *Store) queryDeliveries(ctx context.Context, sql string, args ...any) ([]event.Delivery, error) {
	rows, err := s.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, explain("read deliveries", err)
	}
	defer rows.Close()
	var deliveries []event.Delivery
	for rows.Next() {
		var d event.Delivery
		var state string
		if err := rows.Scan(&d.ReplayID, &d.Endpoint, &d.EventReceivedAt, &d.EventID, &state, &d.Attempts,
			&d.NextAt, &d.StatusCode, &d.Error, &d.UpdatedAt, &d.Subscriber, &d.CreatedAt); err != nil {
			return nil, explain("read deliveries", err)
		}
		d.State = event.DeliveryState(state)
		deliveries = append(deliveries, d)
	}
	return deliveries, explain("read deliveries", rows.Err())
}

// AttemptsOf returns every attempt to deliver an event, in order of time.
func (s *Store) AttemptsOf(ctx context.Context, eventID uuid.UUID) ([]event.Attempt, error) {
	where := &conditions{}
	where.add("event_id = {}", "UUID", eventID.String())
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT %s FROM attempts WHERE %s ORDER BY started_at, number LIMIT 1 BY id",
		attemptColumns, where), where.args...)
	if err != nil {
		return nil, explain("read attempts", err)
	}
	defer rows.Close()
	var attempts []event.Attempt
	for rows.Next() {
		var a event.Attempt
		var millis float64
		var outcome, trace, body string
		var headers []map[string]any
		if err := rows.Scan(&a.ID, &a.EventID, &a.Endpoint, &a.URL, &a.ReplayID, &a.Number, &a.StartedAt, &millis,
			&outcome, &a.StatusCode, &a.Error, &headers, &body, &trace); err != nil {
			return nil, explain("read attempts", err)
		}
		a.Duration = time.Duration(millis * float64(time.Millisecond))
		a.Outcome, a.ResponseBody, a.ResponseHeaders = event.Outcome(outcome), []byte(body), headersFrom(headers)
		_, _ = hex.Decode(a.TraceID[:], []byte(trace))
		attempts = append(attempts, a)
	}
	return attempts, explain("read attempts", rows.Err())
}
