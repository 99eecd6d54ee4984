package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// Subscription selects the events that an endpoint gets as they arrive: those that match every field that is set, each
// by any of its values. A subscription without fields selects all events.
type Subscription struct {
	Sources []string     `json:"sources,omitempty" yaml:"sources"`
	Steps   []string     `json:"steps,omitempty" yaml:"steps"`
	Kinds   []event.Kind `json:"kinds,omitempty" yaml:"kinds"`
}

// Follow returns the events of a range for live delivery: accepted originals of the subscription that have no delivery
// in the queue yet, at most limit, in the order of the spool. They are returned as pending deliveries that are not
// stored. The range is complete up to last, which is less than the range's if limit was reached.
func (s *Store) Follow(ctx context.Context, q Queue, sub Subscription, r Range, limit int) (found []event.Delivery,
	last uint64, err error) {
	where := sub.conditions()
	where.within(r)
	found, last, err = s.undelivered(ctx, q, where, "spool_number", limit)
	if len(found) < limit {
		last = r.Last
	}
	return found, last, err
}

// Missing returns the events that should have a delivery in the queue and have none, at most limit: those of the
// endpoint's subscription, up to the positions in its state, that were received within the window. Events whose
// deliveries may have been purged are left out.
func (s *Store) Missing(ctx context.Context, q Queue, state event.EndpointState, window time.Duration,
	limit int) (missing []event.Delivery, err error) {
	var sub Subscription
	if err := json.Unmarshal([]byte(state.Subscription), &sub); err != nil {
		return nil, fmt.Errorf("read the subscription of %s: %w", state.Endpoint, err)
	}
	ranges, err := s.recentRanges(ctx, window)
	if err != nil {
		return nil, err
	}
	for _, r := range ranges {
		r.After = max(r.After, state.StartedAfter[r.Spool])
		r.Last = min(r.Last, state.Positions[r.Spool])
		if r.After >= r.Last || len(missing) >= limit {
			continue
		}
		where := sub.conditions()
		where.within(r)
		where.require(where.remembered(q.Endpoint))
		found, _, err := s.undelivered(ctx, q, where, "spool_number", limit-len(missing))
		if err != nil {
			return nil, err
		}
		missing = append(missing, found...)
	}
	return missing, nil
}

func (c *conditions) within(r Range) {
	c.add("spool = {}", "String", r.Spool)
	c.add("spool_number > {}", "UInt64", r.After)
	c.add("spool_number <= {}", "UInt64", r.Last)
	c.addBetween("received_at", r.From, r.Until)
}

func (sub Subscription) conditions() *conditions {
	where := &conditions{}
	where.require("verdict = 'accepted'", original)
	addIn(where, "source", sub.Sources)
	addIn(where, "step", sub.Steps)
	addIn(where, "kind", sub.Kinds)
	return where
}

// undelivered returns a new delivery for every event that matches the conditions and has no delivery in the queue. It
// looks up the deliveries of these events only.
func (s *Store) undelivered(ctx context.Context, q Queue, where *conditions, order string,
	limit int) (found []event.Delivery, last uint64, err error) {
	queue := "replay_id = " + where.bind("UUID", q.ReplayID.String()) + " AND endpoint = " +
		where.bind("String", q.Endpoint)
	sql := fmt.Sprintf(`SELECT id, received_at, position_offset, %[1]s, spool_number FROM events WHERE %[2]s AND (received_at, id) NOT IN
			(SELECT event_received_at, event_id FROM deliveries WHERE %[3]s AND (event_received_at, event_id) IN
				(SELECT received_at, id FROM events WHERE %[2]s))
			ORDER BY %[4]s, received_at, id LIMIT 1 BY id LIMIT %[5]d`, subscriber, where, queue, order, limit)
	type row struct {
		id         uuid.UUID
		receivedAt time.Time
		offset     uint64
		subscriber string
		number     uint64
	}
	rows, err := collect(ctx, s.conn, "follow events", sql, where.args, func(rows driver.Rows, r *row) error {
		return rows.Scan(&r.id, &r.receivedAt, &r.offset, &r.subscriber, &r.number)
	})
	if err != nil {
		return nil, 0, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, r := range rows {
		last = r.number
		found = append(found, event.Delivery{DeliveryKey: event.DeliveryKey{ReplayID: q.ReplayID, Endpoint: q.Endpoint,
			EventID: r.id},
			EventReceivedAt: r.receivedAt, State: event.Pending, UpdatedAt: now, Subscriber: r.subscriber,
			CreatedAt:      now,
			PositionOffset: time.Duration(r.offset) * time.Microsecond})
	}
	return found, last, nil
}

// subscriber is the person of an event, as an expression over the table events: the value of Delivery.Subscriber.
const subscriber = "multiIf(bothelp_user_id != '', bothelp_user_id, messenger_user_id != '', concat('m:', " +
	"messenger_user_id), toString(id))"

// eventPosition is event.Event.Position as an expression over the table events.
const eventPosition = "addMicroseconds(received_at, position_offset)"
