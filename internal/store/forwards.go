package store

import (
	"context"
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

// ForwardStates returns how each endpoint has answered the External Requests of sources since a time: by endpoint and
// source.
func (s *Store) ForwardStates(ctx context.Context, sources []string, since time.Time) ([]event.ForwardState, error) {
	where := &conditions{}
	where.addTime("received_at >= {}", since.Add(-forwardSpan))
	where.add("source IN {}", "Array(String)", sources)
	from := where.bindTime(since)
	const sent = "outcome NOT IN ('not_sent', 'impossible', 'unknown')"
	const broken = "(fallback != '' OR outcome IN ('timeout', 'broken_answer'))"
	// An answer with any status is an answer: see ingest's breaker. GLOBAL is for clusters.
	return collect(ctx, s.conn, "read the states of External Requests", `
		SELECT source, endpoint, count(), max(started_at),
			countIf(failed), minIf(started_at, failed), argMaxIf(error, started_at, failed),
			argMaxIf(error, started_at, fallback = 'failing' AND started_at > good)
		FROM (
			SELECT *, `+sent+" AND "+broken+` AND started_at > good AS failed FROM (
				SELECT source, endpoint, started_at, error, fallback, outcome,
					maxIf(started_at, `+sent+" AND NOT "+broken+`) OVER (PARTITION BY source, endpoint) AS good
				FROM attempts GLOBAL INNER JOIN (SELECT id AS event_id, source FROM events WHERE `+where.String()+`) AS requests
					USING event_id
				WHERE kind = 'forward' AND started_at >= `+from+`
			)
		)
		GROUP BY source, endpoint ORDER BY endpoint, source`, where.args,
		func(rows driver.Rows, f *event.ForwardState) error {
			var refused string
			err := rows.Scan(&f.Source, &f.Endpoint, &f.Requests, &f.LastAt, &f.Failures, &f.FailingSince, &f.Error,
				&refused)
			f.FailingSince = zeroIfEpoch(f.FailingSince)
			if f.Failures > 0 {
				f.NextProbe = event.OpenUntil(refused)
			}
			return err
		})
}
