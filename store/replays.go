package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/event"
)

// Plan is what a selection would replay.
type Plan struct {
	Count uint64        `json:"count"`
	First time.Time     `json:"first"`
	Last  time.Time     `json:"last"`
	Parts []PlanPart    `json:"parts"`
	Heads []event.Event `json:"-"` // the first few, in order of arrival, without headers and body
}

// PlanPart is a plan's share of one source and step.
type PlanPart struct {
	Source string `json:"source"`
	Step   string `json:"step"`
	Count  uint64 `json:"count"`
}

// replayable narrows a selection to what may ever be forwarded.
func replayable(sel event.Selection) *conditions {
	c := matching(sel)
	c.terms = append(c.terms, "verdict = 'accepted'")
	return c
}

type PlanRequest struct {
	Selection event.Selection
	Endpoint  string
	Mode      event.Mode
}

// PlanReplay counts what Freeze would freeze now.
func (s *Store) PlanReplay(ctx context.Context, r PlanRequest) (plan Plan, err error) {
	sel := r.Selection
	where := replayable(sel)
	rows, err := s.conn.Query(ctx, fmt.Sprintf(`SELECT source, step, uniqExact(id) AS n, min(received_at), max(received_at)
		FROM events WHERE %s GROUP BY source, step ORDER BY n DESC, source, step`, where), where.args...)
	if err != nil {
		return plan, explain("plan replay", err)
	}
	defer rows.Close()
	for rows.Next() {
		var part PlanPart
		var first, last time.Time
		if err := rows.Scan(&part.Source, &part.Step, &part.Count, &first, &last); err != nil {
			return plan, explain("plan replay", err)
		}
		if plan.Count == 0 || first.Before(plan.First) {
			plan.First = first
		}
		if last.After(plan.Last) {
			plan.Last = last
		}
		plan.Count += part.Count
		plan.Parts = append(plan.Parts, part)
	}
	if err := rows.Err(); err != nil {
		return plan, explain("plan replay", err)
	}
	const heads = 10
	plan.Heads, err = s.queryEvents(ctx, fmt.Sprintf("SELECT %s FROM events WHERE %s ORDER BY received_at, id LIMIT %d",
		briefColumns, where, heads), where.args...)
	return plan, err
}

// FreezeReplay writes a pending delivery for every stored event that the replay's selection matches and that was received
// before the replay was made, in one statement, and returns their number.
func (s *Store) FreezeReplay(ctx context.Context, r event.Replay) (uint64, error) {
	where := replayable(r.Selection)
	where.add("received_at < {}", "DateTime64(6,'UTC')", micros(r.CreatedAt))
	target := &conditions{args: where.args}
	target.add("{}", "UUID", r.ID.String())
	target.add("{}", "String", r.Endpoint)
	sql := fmt.Sprintf(`INSERT INTO deliveries (replay_id, endpoint, event_received_at, event_id, state, updated_at, subscriber, created_at)
		SELECT %s, %s, received_at, id, 'pending', now64(6), `+subscriberExpr+`, now64(6) FROM events WHERE %s`, target.terms[0], target.terms[1], where)
	if err := s.conn.Exec(ctx, sql, target.args...); err != nil {
		return 0, explain("freeze selection", err)
	}
	counts, err := s.CountDeliveries(ctx, r.ID)
	total := uint64(0)
	for _, n := range counts {
		total += n
	}
	return total, err
}

// SaveReplay writes a replay's new state. UpdatedAt orders the states.
func (s *Store) SaveReplay(ctx context.Context, r event.Replay) error {
	selection, err := json.Marshal(r.Selection)
	if err != nil {
		return fmt.Errorf("save replay: %w", err)
	}
	return s.insert(ctx, "", "replays ("+replayColumns+")", func(batch driver.Batch) error {
		return batch.Append(r.ID, r.CreatedAt, r.UpdatedAt, r.CreatedBy, string(r.State), r.Endpoint, r.URL, string(selection),
			r.Total, r.Rate, r.Concurrency, r.MaxAttempts, r.Reason, string(r.Order), string(r.Mode), string(r.Retry), r.Pace, r.StopAfterFailures)
	})
}

const replayColumns = `id, created_at, updated_at, created_by, state, endpoint, url, selection, total, rate, concurrency, max_attempts, reason, event_order, mode, retry, pace, stop_after_failures`

// Replays returns the newest replays first; with states, only those in one of them.
func (s *Store) Replays(ctx context.Context, limit int, states ...event.ReplayState) ([]event.Replay, error) {
	where := &conditions{}
	addIn(where, "state", states)
	return s.queryReplays(ctx, where, limit)
}

// Replay returns one replay, or ErrNotFound.
func (s *Store) Replay(ctx context.Context, id uuid.UUID) (event.Replay, error) {
	where := &conditions{}
	where.add("id = {}", "UUID", id.String())
	replays, err := s.queryReplays(ctx, where, 1)
	if err != nil {
		return event.Replay{}, err
	}
	if len(replays) == 0 {
		return event.Replay{}, fmt.Errorf("replay %s: %w", id, ErrNotFound)
	}
	return replays[0], nil
}

func (s *Store) queryReplays(ctx context.Context, where *conditions, limit int) ([]event.Replay, error) {
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT %s FROM replays FINAL WHERE %s ORDER BY created_at DESC LIMIT %d",
		replayColumns, where, limit), where.args...)
	if err != nil {
		return nil, explain("read replays", err)
	}
	defer rows.Close()
	var replays []event.Replay
	for rows.Next() {
		var r event.Replay
		var state, selection, order, mode, retry string
		if err := rows.Scan(&r.ID, &r.CreatedAt, &r.UpdatedAt, &r.CreatedBy, &state, &r.Endpoint, &r.URL, &selection,
			&r.Total, &r.Rate, &r.Concurrency, &r.MaxAttempts, &r.Reason, &order, &mode, &retry, &r.Pace, &r.StopAfterFailures); err != nil {
			return nil, explain("read replays", err)
		}
		r.State, r.Order, r.Mode, r.Retry = event.ReplayState(state), event.Order(order), event.Mode(mode), event.Retry(retry)
		if err := json.Unmarshal([]byte(selection), &r.Selection); err != nil {
			return nil, fmt.Errorf("replay %s: its selection: %w", r.ID, err)
		}
		replays = append(replays, r)
	}
	return replays, explain("read replays", rows.Err())
}
