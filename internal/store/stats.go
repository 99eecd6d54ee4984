package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// SourceStats counts the requests to a source, or to a name that is not a source, since a time.
type SourceStats struct {
	Source   string
	Accepted uint64
	Verdicts map[event.Verdict]uint64 // of rejected requests
	Last     time.Time                // the newest accepted event; zero if there is none
	LastID   uuid.UUID
	Unread   uint64 // accepted events with a decode error
}

// SourceStats returns the counts since a time of the sources with the most events; at most limit, because anyone can
// invent names. The sources in first precede the others.
func (s *Store) SourceStats(ctx context.Context, since time.Time, first []string, limit int) ([]SourceStats, error) {
	where := &conditions{}
	where.addTime("received_at >= {}", since)
	where.require("NOT " + where.superseded(event.Selection{From: &since}))
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
	f.Verdicts = typed[event.Verdict](verdicts)
	f.Last = zeroIfEpoch(f.Last)
	return nil
}

// EndpointStats sums up the attempts at an endpoint since a time.
type EndpointStats struct {
	Endpoint  string
	Attempts  uint64
	Delivered uint64
	P50, P95  time.Duration
	Last      time.Time // start of the last attempt
}

// EndpointStats returns the sums of each endpoint since a time.
func (s *Store) EndpointStats(ctx context.Context, since time.Time) ([]EndpointStats, error) {
	where := &conditions{}
	where.addTime("started_at >= {}", since)
	return collect(ctx, s.conn, "count attempts", `SELECT endpoint, count(), countIf(outcome = 'delivered'), quantilesTDigest(0.5, 0.95)(duration_ms), max(started_at)
		FROM attempts WHERE `+where.String()+" GROUP BY endpoint ORDER BY endpoint", where.args, func(rows driver.Rows, f *EndpointStats) error {
		var quantiles []float32
		if err := rows.Scan(&f.Endpoint, &f.Attempts, &f.Delivered, &quantiles, &f.Last); err != nil {
			return err
		}
		f.P50 = time.Duration(quantiles[0] * 1e6)
		f.P95 = time.Duration(quantiles[1] * 1e6)
		return nil
	})
}

// Bar is one part of a histogram.
type Bar struct {
	At      time.Time // its beginning
	Events  uint64
	Refused uint64 // rejected ones among them
}

// Histogram counts selected events between two times in parts of the given width. Parts without events are absent.
func (s *Store) Histogram(ctx context.Context, sel event.Selection, from, until time.Time, width time.Duration) ([]Bar,
	error) {
	sel.From = &from
	sel.Until = &until
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	begin := where.bind("Int64", from.UnixMicro())
	micros := where.bind("Int64", width.Microseconds())
	sql := fmt.Sprintf(`SELECT intDiv(toUnixTimestamp64Micro(received_at) - %s, %s) AS part, count(), countIf(verdict != 'accepted')
		FROM %s WHERE %s GROUP BY part ORDER BY part`, begin, micros, where.events(), where)
	bars, err := collect(where.limited(ctx), s.asking(where).conn, "count events over time", sql, where.args,
		func(rows driver.Rows, b *Bar) error {
			var part int64
			err := rows.Scan(&part, &b.Events, &b.Refused)
			b.At = from.Add(time.Duration(part) * width)
			return err
		})
	return bars, where.blame(err)
}
