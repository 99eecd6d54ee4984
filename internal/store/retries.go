package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// EventsToRetry returns the events of selected deliveries in order of arrival, each once; at most limit.
func (s *Store) EventsToRetry(ctx context.Context, sel event.DeliverySelection, limit int) ([]uuid.UUID, error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	return collect(with(ctx, byMonth), s.patient, "read deliveries", fmt.Sprintf(
		"SELECT event_id FROM deliveries FINAL WHERE %s ORDER BY event_position, event_id LIMIT 1 BY event_id LIMIT %d",
		where, limit), where.args, scanID)
}

// retried returns the condition that an event has one of the selected deliveries. If only those in some states are
// selected, those of a replay whose events a later replay to the same endpoint has delivered, or still will, do not
// count.
func (c *conditions) retried(sel event.DeliverySelection) (string, error) {
	d := &conditions{args: c.args}
	if err := d.addDeliveries(sel); err != nil {
		return "", err
	}
	parents := slices.DeleteFunc(slices.Clone(sel.Replays), func(id string) bool { return uuid.Validate(id) != nil })
	if len(parents) > 0 && len(sel.States) > 0 {
		d.require("(endpoint, event_id) NOT IN (SELECT endpoint, event_id FROM deliveries FINAL WHERE " +
			"state NOT IN ('failed', 'cancelled') AND replay_id GLOBAL IN (SELECT id FROM replays WHERE created_at > " +
			"(SELECT max(created_at) FROM replays WHERE id IN " + d.bind("Array(UUID)", parents) + ")))")
	}
	c.args = d.args
	return "id IN (SELECT event_id FROM deliveries FINAL WHERE " + d.String() + ")", nil
}

// OpenRetries describes the open deliveries of a queue in which some wait for a retry.
type OpenRetries struct {
	Retrying uint64    // those that wait for their next attempt
	Next     time.Time // of the first of these attempts
	Others   uint64    // the other open ones
	Free     uint64    // the others of subscribers without a delivery that waits for its next attempt
}

// OpenRetries returns the open deliveries of a queue.
func (s *Store) OpenRetries(ctx context.Context, q Queue) (open OpenRetries, err error) {
	where := q.conditions()
	where.require(openState)
	err = s.conn.QueryRow(with(ctx, byMonth), `SELECT sum(retrying), minIf(next, retrying > 0), sum(others), sumIf(others, retrying = 0)
		FROM (SELECT subscriber, countIf(state = 'retrying') AS retrying, minIf(next_at, state = 'retrying') AS next, countIf(state != 'retrying') AS others
			FROM deliveries FINAL WHERE `+where.String()+` GROUP BY subscriber)`, where.args...).Scan(&open.Retrying,
		&open.Next, &open.Others, &open.Free)
	return open, explain("read retries", err)
}

// Earlier is a delivery of the same subscriber for which another one waits.
type Earlier struct {
	event.DeliveryKey
	State event.DeliveryState
}

// EarlierDeliveries returns, for deliveries of a queue with order up to a position, the first open delivery of the same
// subscriber, by subscriber. It may be the delivery itself. It groups the versions of these subscribers' deliveries,
// because FINAL would merge the whole queue.
func (s *Store) EarlierDeliveries(ctx context.Context, q Queue, subscribers []string, upTo time.Time) (
	map[string]Earlier, error) {
	where := q.conditions()
	where.add("subscriber IN {}", "Array(String)", subscribers)
	where.addTime("event_position <= {}", upTo)
	type row struct {
		subscriber string
		Earlier
	}
	rows, err := collect(ctx, s.conn, "read deliveries",
		"SELECT subscriber, event_id, argMax(state, version) AS last FROM deliveries WHERE "+where.String()+
			" GROUP BY subscriber, event_position, event_id HAVING NOT "+inStates("last", event.FinalStates)+
			" ORDER BY event_position, event_id LIMIT 1 BY subscriber", where.args,
		func(rows driver.Rows, r *row) error {
			return rows.Scan(&r.subscriber, &r.EventID, (*string)(&r.State))
		})
	first := map[string]Earlier{}
	for _, r := range rows {
		first[r.subscriber] = r.Earlier
	}
	return first, err
}
