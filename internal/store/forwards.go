package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// Forward is what became of an event for whose answer a bot waited.
type Forward struct {
	EventID     uuid.UUID
	Fallback    event.Fallback
	Outcome     event.Outcome
	MissingKeys []string
}

// forwardSpan is far longer than the time from the receipt of an event to the attempt to forward it.
const forwardSpan = time.Hour

// Forwards returns what became of those events for whose answer a bot waited. All events were received between two
// times, both included.
func (s *Store) Forwards(ctx context.Context, ids []uuid.UUID, from, to time.Time) ([]Forward, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where := &conditions{}
	where.require(where.forwarded(&from, &to))
	where.add("event_id IN {}", "Array(UUID)", uuidStrings(ids))
	return collect(ctx, s.conn, "read external requests",
		"SELECT event_id, fallback, outcome, missing_keys FROM attempts WHERE "+where.String(), where.args,
		func(rows driver.Rows, f *Forward) error {
			return rows.Scan(&f.EventID, (*string)(&f.Fallback), (*string)(&f.Outcome), &f.MissingKeys)
		})
}

// forwarded returns a condition over the table attempts: those for which a bot waited, of events that were received
// between two times, both included; nil is no limit.
func (c *conditions) forwarded(from, to *time.Time) string {
	term := "kind = 'forward'"
	if from != nil {
		term += " AND started_at >= " + c.bindTime(from.Add(-forwardSpan))
	}
	if to != nil {
		term += " AND started_at <= " + c.bindTime(to.Add(forwardSpan))
	}
	return term
}

// addForwarded requires that a bot waited for the answer to an event, and that the attempt has one of the values, which
// the term compares.
func (c *conditions) addForwarded(sel event.Selection, term string, values []string) {
	from, to := bounds(sel)
	c.add("id IN (SELECT event_id FROM attempts WHERE "+c.forwarded(from, to)+" AND "+term+")", "Array(String)", values)
}

// ForwardStates returns how endpoints fail the bots of sources, with the failures since a time: of each source and
// endpoint whose last External Request that was sent has failed. An answer with any status is an answer.
func (s *Store) ForwardStates(ctx context.Context, since time.Time) ([]event.ForwardState, error) {
	where := &conditions{}
	where.addTime("started_at >= {}", since)
	where.require("kind = 'forward' AND outcome NOT IN ('not_sent', 'impossible', 'unknown')")
	const failed = "(fallback != '' OR outcome IN ('timeout', 'broken_answer'))"
	// GLOBAL is for clusters. Failures are few, and the answered requests become one row for each source and endpoint.
	return collect(ctx, s.conn, "read the states of External Requests", fmt.Sprintf(`
		SELECT source, endpoint, count(), min(started_at), argMax(error, started_at)
		FROM attempts GLOBAL LEFT JOIN (
			SELECT source, endpoint, max(started_at) AS answered_at FROM attempts WHERE %[1]s AND NOT %[2]s
			GROUP BY source, endpoint
		) AS answered USING (source, endpoint)
		WHERE %[1]s AND %[2]s AND started_at > answered_at
		GROUP BY source, endpoint ORDER BY endpoint, source`, where, failed), where.args,
		func(rows driver.Rows, f *event.ForwardState) error {
			return rows.Scan(&f.Source, &f.Endpoint, &f.Failures, &f.FailingSince, &f.Error)
		})
}
