package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/event"
)

// Subscription is which events an endpoint wants as they come; an empty list is any.
type Subscription struct {
	Sources []string
	Steps   []string
	Kinds   []event.Kind
}

// Follow finds events for live delivery: accepted originals of the subscription and the queue's shard, stored at from or
// later, that have no delivery in the queue yet; in order of storing, at most limit. They come as pending deliveries, not
// stored yet.
//
// Until is where to go on from. All events of one insert have the same time of storing, taken when it began, and are seen
// when it has ended: so a caller goes on from somewhat before until, and stores what was found before it asks again.
//
// One that is asked for every moment costs little while nothing is new: the index of stored_at skips all older events,
// and of the deliveries only those of the candidates are looked up.
func (s *Store) Follow(ctx context.Context, q Queue, sub Subscription, from time.Time, limit int) (found []event.Delivery, until time.Time, err error) {
	where := &conditions{}
	where.add("stored_at >= {}", "DateTime64(6,'UTC')", micros(from))
	where.require("verdict = 'accepted'", original)
	addIn(where, "source", sub.Sources)
	addIn(where, "step", sub.Steps)
	addIn(where, "kind", sub.Kinds)
	q.Shard.narrow(where, subscriber)
	queue := "replay_id = " + where.bind("UUID", q.ReplayID.String()) + " AND endpoint = " + where.bind("String", q.Endpoint)
	// The first row tells the time; its SELECT is analysed before the other's, which then sees at least what was there by then.
	sql := fmt.Sprintf(`SELECT toUUID('00000000-0000-0000-0000-000000000000') AS id, toDateTime64(0, 6, 'UTC') AS received_at, '' AS subscriber, now64(3, 'UTC') AS stored_at
		UNION ALL SELECT * FROM (SELECT id, received_at, %[1]s, stored_at FROM events WHERE %[2]s AND (received_at, id) NOT IN
			(SELECT event_received_at, event_id FROM deliveries WHERE %[3]s AND (event_received_at, event_id) IN
				(SELECT received_at, id FROM events WHERE %[2]s))
			ORDER BY stored_at, id LIMIT 1 BY id LIMIT %[4]d)`, subscriber, where, queue, limit)
	rows, err := collect(ctx, s.conn, "follow events", sql, where.args, scanStored)
	if err != nil {
		return nil, until, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	var last time.Time
	for _, row := range rows {
		if row.id == uuid.Nil {
			until = row.storedAt
			continue
		}
		last = row.storedAt
		found = append(found, event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: q.ReplayID, Endpoint: q.Endpoint, EventID: row.id},
			EventReceivedAt: row.receivedAt, State: event.Pending, UpdatedAt: now, Subscriber: row.subscriber, CreatedAt: now})
	}
	if len(found) >= limit {
		until = last
	}
	return found, until, nil
}

type storedEvent struct {
	id         uuid.UUID
	receivedAt time.Time
	subscriber string
	storedAt   time.Time
}

func scanStored(rows driver.Rows, e *storedEvent) error {
	return rows.Scan(&e.id, &e.receivedAt, &e.subscriber, &e.storedAt)
}
