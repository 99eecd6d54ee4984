package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// Queue identifies the deliveries of a replay, or of live delivery (the zero UUID), to an endpoint.
type Queue struct {
	ReplayID uuid.UUID
	Endpoint string
}

// conditions returns the conditions of the queue over the table deliveries: the beginning of its primary key.
func (q Queue) conditions() *conditions {
	c := &conditions{}
	c.add("replay_id = {}", "UUID", q.ReplayID.String())
	c.add("endpoint = {}", "String", q.Endpoint)
	return c
}

const deliveryColumns = `replay_id, endpoint, event_received_at, event_position, event_id, state,
	attempts, next_at, status_code, error, updated_at, subscriber, created_at, first_attempt_at, last_attempt_at,
	outcome, answer`

func scanDelivery(rows driver.Rows, d *event.Delivery) error {
	var position time.Time
	err := rows.Scan(&d.ReplayID, &d.Endpoint, &d.EventReceivedAt, &position, &d.EventID, (*string)(&d.State),
		&d.Attempts, &d.NextAt, &d.StatusCode, &d.Error, &d.UpdatedAt, &d.Subscriber, &d.CreatedAt,
		&d.FirstAttemptAt, &d.LastAttemptAt, (*string)(&d.Outcome), &d.Answer)
	d.PositionOffset = position.Sub(d.EventReceivedAt)
	for _, t := range []*time.Time{&d.NextAt, &d.FirstAttemptAt, &d.LastAttemptAt} {
		*t = zeroIfEpoch(*t)
	}
	return err
}

// inOrder reads a page as a short range of the primary key: in one thread, so that only the page is merged, and in
// small blocks, so that the range ends soon after it. The key determines a delivery's month, so no two partitions have
// versions of the same one.
var inOrder = clickhouse.Settings{"optimize_read_in_order": 1, "do_not_merge_across_partitions_select_final": 1,
	"max_threads": 1, "max_block_size": 1024}

// OpenDeliveries returns the deliveries of a queue that are not final, due or not, after one cursor and up to the
// other, in order of their events' positions. Zero cursors are the beginning and the end. The cost is the range from
// the cursor to the end of the page, including its final deliveries.
func (s *Store) OpenDeliveries(ctx context.Context, q Queue, after, upTo Cursor, limit int) ([]event.Delivery, error) {
	where := q.conditions()
	bound := func(c Cursor, loose, strict string) {
		if !c.At.IsZero() {
			at := where.bindTime(c.At)
			// Only the first of these can use the primary key.
			where.require("event_position "+loose+" "+at,
				"(event_position, event_id) "+strict+" ("+at+", "+where.bind("UUID", c.ID.String())+")")
		}
	}
	bound(after, ">=", ">")
	bound(upTo, "<=", "<=")
	where.require(openState)
	return collect(with(ctx, inOrder), s.conn, "read deliveries",
		fmt.Sprintf("SELECT %s FROM deliveries FINAL WHERE %s ORDER BY event_position, event_id LIMIT %d",
			deliveryColumns, where, limit), where.args, scanDelivery)
}

// DeliveriesOf returns all deliveries of an event, live ones first, then replays in order of creation.
func (s *Store) DeliveriesOf(ctx context.Context, eventID uuid.UUID) ([]event.Delivery, error) {
	where := &conditions{}
	where.ofEvents([]uuid.UUID{eventID})
	where.require(made)
	return collect(with(ctx, byMonth), s.conn, "read deliveries",
		fmt.Sprintf("SELECT %s FROM deliveries FINAL WHERE %s ORDER BY toString(replay_id), endpoint",
			deliveryColumns, where), where.args, scanDelivery)
}

// CancelDeliveries cancels all deliveries of a queue that are not final, in one statement. An attempt in flight
// finishes without changing that; its row has the outcome.
func (s *Store) CancelDeliveries(ctx context.Context, q Queue) error {
	where := q.conditions()
	where.require(openState)
	version := fmt.Sprintf("toUInt64(attempts) * %d + %d", event.VersionOf(1, event.Pending),
		event.VersionOf(0, event.Cancelled))
	sql := fmt.Sprintf(`INSERT INTO deliveries (%s, version)
		SELECT replay_id, endpoint, event_received_at, event_position, event_id, 'cancelled', attempts, toDateTime64(0, 3, 'UTC'), status_code, error, now64(6), subscriber, created_at, first_attempt_at, last_attempt_at, outcome, answer,
			%s FROM deliveries FINAL WHERE %s`, deliveryColumns, version, where)
	return explain("cancel deliveries", s.patient.Exec(with(ctx,
		clickhouse.Settings{"do_not_merge_across_partitions_select_final": 1}), sql, where.args...))
}

// CountDeliveries counts a replay's deliveries by state.
func (s *Store) CountDeliveries(ctx context.Context, replayID uuid.UUID) (map[event.DeliveryState]uint64, error) {
	where := &conditions{}
	where.add("replay_id = {}", "UUID", replayID.String())
	parts, err := collect(ctx, s.conn, "count deliveries",
		fmt.Sprintf("SELECT state, count() FROM deliveries FINAL WHERE %s GROUP BY state", where), where.args,
		scanCount)
	counts := map[event.DeliveryState]uint64{}
	for _, part := range parts {
		counts[part.state] = part.n
	}
	return counts, err
}

type stateCount struct {
	state event.DeliveryState
	n     uint64
}

func scanCount(rows driver.Rows, c *stateCount) error {
	return rows.Scan((*string)(&c.state), &c.n)
}

// Backlog is the state of live delivery to an endpoint.
type Backlog struct {
	Endpoint string
	Counts   map[event.DeliveryState]uint64
	// OldestOpen is the arrival time of the oldest event without a final delivery; zero if there is none.
	OldestOpen time.Time
}

// Backlogs returns the backlog of each endpoint that ever had a live delivery.
func (s *Store) Backlogs(ctx context.Context) ([]Backlog, error) {
	return collect(ctx, s.conn, "read backlogs", `SELECT endpoint, CAST(sumMap(map(toString(state), n)), 'Map(String, UInt64)'), minIf(oldest, `+openState+`) FROM
		(SELECT endpoint, state, count() AS n, min(event_received_at) AS oldest FROM deliveries FINAL WHERE `+live+`
			GROUP BY endpoint, state) GROUP BY endpoint ORDER BY endpoint`, nil, scanBacklog)
}

func scanBacklog(rows driver.Rows, b *Backlog) error {
	counts := map[string]uint64{}
	if err := rows.Scan(&b.Endpoint, &counts, &b.OldestOpen); err != nil {
		return err
	}
	b.Counts = typed[event.DeliveryState](counts)
	b.OldestOpen = zeroIfEpoch(b.OldestOpen)
	return nil
}

// typed converts the keys of a map that the driver has scanned.
func typed[K ~string](counts map[string]uint64) map[K]uint64 {
	result := make(map[K]uint64, len(counts))
	for key, n := range counts {
		result[K(key)] = n
	}
	return result
}

// RecordOutcomes stores new states of deliveries and the attempts that led to them, once per token.
func (s *Store) RecordOutcomes(ctx context.Context, token string, deliveries []event.Delivery,
	attempts []event.Attempt) error {
	if len(attempts) > 0 {
		if err := s.insertAttempts(ctx, token, attempts); err != nil {
			return err
		}
	}
	return s.insertDeliveries(ctx, token, deliveries)
}

// RecordOutcomesAgain is RecordOutcomes for a token that may have been sent before: see InsertEventsAgain.
func (s *Store) RecordOutcomesAgain(ctx context.Context, token string, deliveries []event.Delivery,
	attempts []event.Attempt) error {
	err := s.RecordOutcomes(ctx, token, nil, attempts)
	for try := 0; err == nil && try < otherTokens; try++ {
		token += againSuffix
		if attempts, err = s.MissingAttempts(ctx, attempts); err == nil {
			err = s.RecordOutcomes(ctx, token, nil, attempts)
		}
	}
	if err != nil {
		return err
	}
	return s.InsertDeliveries(ctx, deliveries)
}

// InsertDeliveries stores new deliveries. Repeating it changes nothing: a state never replaces a later one.
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
			if err := batch.Append(d.ReplayID, d.Endpoint, d.EventReceivedAt, d.Position(), d.EventID, string(d.State),
				d.Attempts, epochIfZero(d.NextAt), d.StatusCode, d.Error, d.UpdatedAt, d.Subscriber, d.CreatedAt,
				epochIfZero(d.FirstAttemptAt), epochIfZero(d.LastAttemptAt), string(d.Outcome), d.Answer,
				d.Version()); err != nil {
				return fmt.Errorf("delivery of event %s: %w", d.EventID, err)
			}
		}
		return nil
	})
}

// known fills in fields that an outcome of an older version lacks, with the defaults of the columns.
func known(d event.Delivery) event.Delivery {
	if d.Subscriber == "" {
		d.Subscriber = d.EventID.String()
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = d.EventReceivedAt
	}
	return d
}

// DeliverySummary is the state of an event at an endpoint over live delivery and replays: delivered if one of them
// succeeded, else the state that changed last.
type DeliverySummary struct {
	EventID  uuid.UUID
	Endpoint string
	State    event.DeliveryState
}

// DeliverySummaries returns the states of events that were received between two times, both included, by endpoint.
func (s *Store) DeliverySummaries(ctx context.Context, ids []uuid.UUID, from, to time.Time) ([]DeliverySummary, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where := &conditions{}
	where.addBetween("event_received_at", from, to)
	where.add("event_id IN {}", "Array(UUID)", uuidStrings(ids))
	where.require(made)
	return collect(ctx, s.conn, "read deliveries",
		"SELECT event_id, endpoint, if(countIf(state = 'delivered') > 0, 'delivered', argMax(state, (updated_at, "+
			"version))) FROM deliveries WHERE "+where.String()+
			" GROUP BY event_id, endpoint ORDER BY endpoint", where.args,
		func(rows driver.Rows, f *DeliverySummary) error {
			return rows.Scan(&f.EventID, &f.Endpoint, (*string)(&f.State))
		})
}
