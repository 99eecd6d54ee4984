package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// SourceStats is what came to a source since a time, or to a name that is none.
type SourceStats struct {
	Source   string
	Accepted uint64
	Verdicts map[event.Verdict]uint64 // of what was not accepted
	Last     time.Time                // the last accepted event; zero for none
	LastID   uuid.UUID
	Unread   uint64 // accepted ones of which something could not be read
}

// SourceStats returns the figures since a time of the sources with the most events; at most limit of them, for names may be
// anyone's invention. Those of some sources come first.
func (s *Store) SourceStats(ctx context.Context, since time.Time, first []string, limit int) ([]SourceStats, error) {
	where := &conditions{}
	where.add("received_at >= {}", "DateTime64(6,'UTC')", micros(since))
	return collect(ctx, s.conn, "count events of sources", `SELECT source, countIf(verdict = 'accepted'),
		CAST(sumMapIf(map(toString(verdict), toUInt64(1)), verdict != 'accepted'), 'Map(String, UInt64)'),
		maxIf(received_at, verdict = 'accepted'), argMaxIf(id, received_at, verdict = 'accepted'),
		countIf(verdict = 'accepted' AND decode_error != '') FROM events WHERE `+where.String()+" GROUP BY source ORDER BY source IN "+where.bind("Array(String)", first)+
		fmt.Sprintf(" DESC, count() DESC, source LIMIT %d", limit), where.args, scanSourceFigures)
}

func scanSourceFigures(rows driver.Rows, f *SourceStats) error {
	verdicts := map[string]uint64{}
	if err := rows.Scan(&f.Source, &f.Accepted, &verdicts, &f.Last, &f.LastID, &f.Unread); err != nil {
		return err
	}
	f.Verdicts = make(map[event.Verdict]uint64, len(verdicts))
	for verdict, n := range verdicts {
		f.Verdicts[event.Verdict(verdict)] = n
	}
	f.Last = zeroIfEpoch(f.Last)
	return nil
}

// LastEvent is the last accepted event of a source, whenever it came; the zero time for none.
func (s *Store) LastEvent(ctx context.Context, source string) (at time.Time, id uuid.UUID, err error) {
	found, err := s.ListEvents(ctx, event.Selection{Sources: []string{source}, Verdicts: []event.Verdict{event.Accepted}}, Page{Limit: 1})
	if err != nil || len(found) == 0 {
		return at, id, err
	}
	return found[0].ReceivedAt, found[0].ID, nil
}

// EndpointStats is how the attempts to deliver to an endpoint went since a time.
type EndpointStats struct {
	Endpoint  string
	Attempts  uint64
	Delivered uint64
	P50, P95  time.Duration
	Last      time.Time // of the last attempt
}

// EndpointStats returns the figures of each endpoint since a time.
func (s *Store) EndpointStats(ctx context.Context, since time.Time) ([]EndpointStats, error) {
	where := &conditions{}
	where.add("started_at >= {}", "DateTime64(6,'UTC')", micros(since))
	return collect(ctx, s.conn, "count attempts", `SELECT endpoint, count(), countIf(outcome = 'delivered'), quantilesTDigest(0.5, 0.95)(duration_ms), max(started_at)
		FROM attempts WHERE `+where.String()+" GROUP BY endpoint ORDER BY endpoint", where.args, func(rows driver.Rows, f *EndpointStats) error {
		var quantiles []float32
		if err := rows.Scan(&f.Endpoint, &f.Attempts, &f.Delivered, &quantiles, &f.Last); err != nil {
			return err
		}
		f.P50, f.P95 = time.Duration(quantiles[0]*1e6), time.Duration(quantiles[1]*1e6)
		return nil
	})
}

// LastFailures returns the last attempts at an endpoint that failed since a time, the newest first; at most limit.
func (s *Store) LastFailures(ctx context.Context, endpoint string, since time.Time, limit int) ([]event.Attempt, error) {
	return s.failures(ctx, "endpoint = {}", "String", endpoint, since, limit)
}

// FailuresOf returns the last attempts of a replay that failed, the newest first; at most limit.
func (s *Store) FailuresOf(ctx context.Context, replay event.Replay, limit int) ([]event.Attempt, error) {
	return s.failures(ctx, "replay_id = {}", "UUID", replay.ID.String(), replay.CreatedAt.Add(-time.Minute), limit)
}

func (s *Store) failures(ctx context.Context, term, kind string, value any, since time.Time, limit int) ([]event.Attempt, error) {
	where := &conditions{}
	where.add("started_at >= {}", "DateTime64(6,'UTC')", micros(since))
	where.add(term, kind, value)
	where.require("outcome != 'delivered'")
	return collect(ctx, s.conn, "read failed attempts", fmt.Sprintf("SELECT %s FROM attempts WHERE %s ORDER BY started_at DESC, id DESC LIMIT 1 BY id LIMIT %d",
		attemptColumns, where, limit), where.args, scanAttempt)
}
