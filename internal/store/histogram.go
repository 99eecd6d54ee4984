package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// Bar is one part of a histogram.
type Bar struct {
	At      time.Time // where it begins
	Events  uint64
	Refused uint64 // of these, the ones that were not accepted
}

// Histogram counts selected events in parts of a width, from a time on until another. Parts without events are absent.
func (s *Store) Histogram(ctx context.Context, sel event.Selection, from, until time.Time, width time.Duration) ([]Bar, error) {
	sel.From, sel.Until = &from, &until
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	begin, micros := where.bind("Int64", from.UnixMicro()), where.bind("Int64", width.Microseconds())
	sql := fmt.Sprintf(`SELECT intDiv(toUnixTimestamp64Micro(received_at) - %s, %s) AS part, count(), countIf(verdict != 'accepted')
		FROM %s WHERE %s GROUP BY part ORDER BY part`, begin, micros, where.events(), where)
	bars, err := collect(where.limited(ctx), s.asking(where), "count events over time", sql, where.args, func(rows driver.Rows, b *Bar) error {
		var part int64
		err := rows.Scan(&part, &b.Events, &b.Refused)
		b.At = from.Add(time.Duration(part) * width)
		return err
	})
	return bars, where.blame(err)
}

// FirstEvent is when the oldest event was received; zero when there is none. It costs next to nothing: each part of the
// table knows its own first.
func (s *Store) FirstEvent(ctx context.Context) (first time.Time, err error) {
	err = s.conn.QueryRow(ctx, "SELECT min(received_at) FROM events").Scan(&first)
	return zeroIfEpoch(first), explain("look for the oldest event", err)
}
