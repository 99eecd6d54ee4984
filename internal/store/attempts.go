package store

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

const attemptColumns = `id, event_id, endpoint, url, replay_id, number, started_at, duration_ms, outcome,
	status_code, error, request_headers, response_headers, response_body,
	trace_id, kind, fallback, missing_keys, response_bytes, overhead_ms, source`

func (s *Store) insertAttempts(ctx context.Context, token string, attempts []event.Attempt) error {
	return s.insert(ctx, token, "attempts ("+attemptColumns+")", func(batch driver.Batch) error {
		for _, a := range attempts {
			if err := batch.Append(a.ID, a.EventID, a.Endpoint, a.URL, a.ReplayID, a.Number, a.StartedAt,
				milliseconds(a.Duration), string(a.Outcome), a.StatusCode, a.Error,
				headerTuples(a.RequestHeaders), headerTuples(a.ResponseHeaders), a.ResponseBody,
				hex.EncodeToString(a.TraceID[:]), string(cmp.Or(a.Kind, event.AttemptDelivery)), string(a.Fallback),
				slices.Concat([]string{}, a.MissingKeys), a.ResponseBytes, milliseconds(a.Overhead),
				a.Source); err != nil {
				return fmt.Errorf("attempt %s: %w", a.ID, err)
			}
		}
		return nil
	})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func fromMilliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

// MissingAttempts returns the attempts that are not stored. Of several with one id it returns the first.
func (s *Store) MissingAttempts(ctx context.Context, attempts []event.Attempt) (missing []event.Attempt, err error) {
	seen := map[uuid.UUID]bool{}
	for part := range slices.Chunk(attempts, maxParameters) {
		begun := func(a, b event.Attempt) int { return a.StartedAt.Compare(b.StartedAt) }
		ids := make([]uuid.UUID, len(part))
		for i, a := range part {
			ids[i] = a.ID
		}
		where := &conditions{}
		where.addBetween("started_at", slices.MinFunc(part, begun).StartedAt, slices.MaxFunc(part, begun).StartedAt)
		where.add("id IN {}", "Array(UUID)", uuidStrings(ids))
		if err := s.addIDs(ctx, "attempts", where, seen); err != nil {
			return nil, err
		}
	}
	for _, a := range attempts {
		if !seen[a.ID] {
			missing = append(missing, a)
		}
		seen[a.ID] = true
	}
	return missing, nil
}

// AttemptsOf returns all attempts to deliver an event, in order of time.
func (s *Store) AttemptsOf(ctx context.Context, eventID uuid.UUID) ([]event.Attempt, error) {
	where := &conditions{}
	where.add("event_id = {}", "UUID", eventID.String())
	return s.queryAttempts(ctx, where)
}

func (s *Store) queryAttempts(ctx context.Context, where *conditions) ([]event.Attempt, error) {
	return collect(ctx, s.conn, "read attempts",
		fmt.Sprintf("SELECT %s FROM attempts WHERE %s ORDER BY started_at, number LIMIT 1 BY id",
			attemptColumns, where), where.args, scanAttempt)
}

func scanAttempt(rows driver.Rows, a *event.Attempt) error {
	var duration, overhead float64
	var outcome, trace, body, kind, fallback string
	var sent, headers []map[string]any
	if err := rows.Scan(&a.ID, &a.EventID, &a.Endpoint, &a.URL, &a.ReplayID, &a.Number, &a.StartedAt, &duration,
		&outcome, &a.StatusCode, &a.Error, &sent, &headers, &body, &trace,
		&kind, &fallback, &a.MissingKeys, &a.ResponseBytes, &overhead, &a.Source); err != nil {
		return err
	}
	a.Duration = fromMilliseconds(duration)
	a.Overhead = fromMilliseconds(overhead)
	if len(a.MissingKeys) == 0 {
		a.MissingKeys = nil
	}
	a.Kind, a.Fallback = event.AttemptKind(kind), event.Fallback(fallback)
	a.Outcome, a.ResponseBody = event.Outcome(outcome), []byte(body)
	a.RequestHeaders = headersFrom(sent)
	a.ResponseHeaders = headersFrom(headers)
	_, _ = hex.Decode(a.TraceID[:], []byte(trace))
	return nil
}

// LastFailures returns the newest failed attempts at an endpoint since a time, the newest first; at most limit.
func (s *Store) LastFailures(ctx context.Context, endpoint string, since time.Time, limit int) ([]event.Attempt,
	error) {
	where := &conditions{}
	where.addTime("started_at >= {}", since)
	where.add("endpoint = {}", "String", endpoint)
	where.require("outcome != 'delivered'")
	where.require("kind != 'forward'") // a bot's request is not sent again, so nothing resolves its failure
	// Answers are large: only those of the attempts that are returned are read.
	return collect(ctx, s.conn, "read failed attempts",
		fmt.Sprintf("SELECT %s FROM attempts WHERE (started_at, id) IN (SELECT DISTINCT started_at, id FROM attempts "+
			"WHERE %s ORDER BY started_at DESC, id DESC LIMIT %d) ORDER BY started_at DESC, id DESC LIMIT 1 BY id",
			attemptColumns, where, limit), where.args, scanAttempt)
}
