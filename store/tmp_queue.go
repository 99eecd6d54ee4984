package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/event"
)

type Shard struct{ Index, Count uint32 }

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Index, s.Count) }

type Queue struct {
	ReplayID uuid.UUID
	Endpoint string
	Shard    Shard
}

type Subscription struct {
	Sources, Steps []string
	Kinds          []event.Kind
}

func (q Queue) cond() *conditions {
	where := &conditions{}
	where.add("replay_id = {}", "UUID", q.ReplayID.String())
	where.add("endpoint = {}", "String", q.Endpoint)
	if q.Shard.Count > 1 {
		where.terms = append(where.terms, fmt.Sprintf("cityHash64(subscriber) %% %d = %d", q.Shard.Count, q.Shard.Index-1))
	}
	return where
}

func (s *Store) OpenDeliveries(ctx context.Context, q Queue, after *Cursor, limit int) ([]event.Delivery, error) {
	where := q.cond()
	if after != nil {
		where.add("event_received_at >= {}", "DateTime64(6,'UTC')", micros(after.ReceivedAt))
		where.add("(event_received_at, event_id) > ({}, toUUID('"+after.ID.String()+"'))", "DateTime64(6,'UTC')", micros(after.ReceivedAt))
	}
	where.terms = append(where.terms, "state NOT IN ('delivered','failed','cancelled')")
	return s.queryDeliveries(ctx, fmt.Sprintf("SELECT %s FROM deliveries FINAL WHERE %s ORDER BY event_received_at, event_id LIMIT %d",
		deliveryColumns, where, limit), where.args...)
}

func (s *Store) CountOpen(ctx context.Context, q Queue) (n uint64, err error) {
	where := q.cond()
	where.terms = append(where.terms, "state NOT IN ('delivered','failed','cancelled')")
	err = s.conn.QueryRow(ctx, fmt.Sprintf("SELECT count() FROM deliveries FINAL WHERE %s", where), where.args...).Scan(&n)
	return n, explain("count", err)
}

const subscriberExpr = "multiIf(bothelp_user_id != '', bothelp_user_id, messenger_user_id != '', concat('m:', messenger_user_id), toString(id))"

func (s *Store) Now(ctx context.Context) (t time.Time, err error) {
	err = s.conn.QueryRow(ctx, "SELECT now64(3)").Scan(&t)
	return t, explain("now", err)
}

func (s *Store) Follow(ctx context.Context, q Queue, sub Subscription, from time.Time, limit int) (found []event.Delivery, until time.Time, err error) {
	until, err = s.Now(ctx)
	if err != nil {
		return
	}
	where := matching(event.Selection{Sources: sub.Sources, Steps: sub.Steps, Kinds: sub.Kinds})
	where.add("stored_at >= {}", "DateTime64(3,'UTC')", from.UTC().Format("2006-01-02 15:04:05.000"))
	where.terms = append(where.terms, "verdict='accepted'", "duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')")
	if q.Shard.Count > 1 {
		where.terms = append(where.terms, fmt.Sprintf("cityHash64(%s) %% %d = %d", subscriberExpr, q.Shard.Count, q.Shard.Index-1))
	}
	where.add("id NOT IN (SELECT event_id FROM deliveries WHERE replay_id = toUUID('00000000-0000-0000-0000-000000000000') AND endpoint = {})", "String", q.Endpoint)
	rows, err := s.conn.Query(ctx, fmt.Sprintf("SELECT id, received_at, %s, stored_at FROM events WHERE %s ORDER BY stored_at, id LIMIT %d", subscriberExpr, where, limit), where.args...)
	if err != nil {
		return nil, until, explain("follow", err)
	}
	defer rows.Close()
	now := time.Now().UTC()
	for rows.Next() {
		d := event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: q.ReplayID, Endpoint: q.Endpoint}, State: event.Pending, CreatedAt: now, UpdatedAt: now}
		var stored time.Time
		if err := rows.Scan(&d.EventID, &d.EventReceivedAt, &d.Subscriber, &stored); err != nil {
			return nil, until, explain("follow", err)
		}
		found = append(found, d)
		if len(found) == limit {
			until = stored
		}
	}
	return found, until, explain("follow", rows.Err())
}

func (s *Store) InsertDeliveries(ctx context.Context, ds []event.Delivery) error {
	return s.RecordOutcomes(ctx, "", ds, nil)
}

func (s *Store) Payloads(ctx context.Context, ids []uuid.UUID, maxBytes int) ([]event.Event, error) {
	return s.Events(ctx, ids)
}

type Backlog struct{ Endpoint string }

func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) { return nil, nil }

func (s *Store) CancelDeliveries(ctx context.Context, q Queue) error {
	where := q.cond()
	where.terms = append(where.terms, "state NOT IN ('delivered','failed','cancelled')")
	return explain("cancel", s.conn.Exec(ctx, fmt.Sprintf(`INSERT INTO deliveries (replay_id, endpoint, event_received_at, event_id, state, attempts, next_at, status_code, error, updated_at, version, subscriber, created_at)
	SELECT replay_id, endpoint, event_received_at, event_id, 'cancelled', attempts, next_at, status_code, error, now64(6), attempts*8+5, subscriber, created_at FROM deliveries FINAL WHERE %s`, where), where.args...))
}

type Steered struct {
	Action     event.Action
	By, Reason string
	Rate       *float64
}

func (s Steered) Why() string { return s.By + " " + s.Reason }

func (s *Store) AddCommand(ctx context.Context, c event.Command) error {
	return s.insert(ctx, "", "commands (at,target,action,rate,by,reason)", func(b driver.Batch) error {
		return b.Append(c.At, c.Target, string(c.Action), c.Rate, c.By, c.Reason)
	})
}

func (s *Store) Steering(ctx context.Context) (map[string]Steered, error) {
	rows, err := s.conn.Query(ctx, "SELECT target, action, rate, by, reason FROM commands ORDER BY at")
	if err != nil {
		return nil, explain("steering", err)
	}
	defer rows.Close()
	m := map[string]Steered{}
	for rows.Next() {
		var t, a, by, reason string
		var rate float64
		if err := rows.Scan(&t, &a, &rate, &by, &reason); err != nil {
			return nil, err
		}
		st := m[t]
		if a == string(event.ActionRate) {
			st.Rate = &rate
		} else {
			st.Action, st.By, st.Reason = event.Action(a), by, reason
		}
		m[t] = st
	}
	return m, explain("steering", rows.Err())
}

func (s *Store) UnfinishedReplays(ctx context.Context) ([]event.Replay, error) {
	return s.Replays(ctx, 10000, event.ReplayRunning, event.ReplayPaused)
}

func (s *Store) ReplayByKey(ctx context.Context, key string) (event.Replay, error) {
	return event.Replay{}, ErrNotFound
}

func (s *Store) SaveEndpointState(ctx context.Context, e event.EndpointState) error {
	return s.insert(ctx, "", "endpoint_states (endpoint,shard,url,state,reason,failures,next_probe,updated_at,followed_since,followed_until)", func(b driver.Batch) error {
		return b.Append(e.Endpoint, e.Shard, e.URL, e.State, e.Reason, e.Failures, epochIfZero(e.NextProbe), e.UpdatedAt, epochIfZero(e.FollowedSince), epochIfZero(e.FollowedUntil))
	})
}

func (s *Store) EndpointStates(ctx context.Context) (list []event.EndpointState, err error) {
	rows, err := s.conn.Query(ctx, "SELECT endpoint,shard,url,state,reason,failures,next_probe,updated_at,followed_since,followed_until FROM endpoint_states FINAL")
	if err != nil {
		return nil, explain("states", err)
	}
	defer rows.Close()
	for rows.Next() {
		var e event.EndpointState
		if err := rows.Scan(&e.Endpoint, &e.Shard, &e.URL, &e.State, &e.Reason, &e.Failures, &e.NextProbe, &e.UpdatedAt, &e.FollowedSince, &e.FollowedUntil); err != nil {
			return nil, err
		}
		for _, t := range []*time.Time{&e.NextProbe, &e.FollowedSince, &e.FollowedUntil} {
			if t.Unix() == 0 {
				*t = time.Time{}
			}
		}
		list = append(list, e)
	}
	return list, explain("states", rows.Err())
}

type AuditEntry struct {
	At                  time.Time
	Who, Action, Target string
	Detail              any
	RemoteIP            string
}

func (s *Store) Audit(ctx context.Context, a AuditEntry) error { return nil }
