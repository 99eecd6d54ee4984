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

// Live delivery follows the events of each spool by number, never by a clock: clocks jump, inserts take minutes, and
// the rows of one INSERT become visible in each partition and shard at another time.
//
// A spool numbers its events in order of arrival. Its drain stores one batch after the other and marks a batch as
// stored (stored_ranges) when ClickHouse has acknowledged all of it. A reader that stops at the highest mark therefore
// sees every event up to that number, in any state of process, engine and clocks.

const (
	// rangeSize is the largest number of events in a row of stored_ranges. The poller reads as many at a time: about
	// one granule of the table events. An audit reads auditedRanges rows at a time.
	rangeSize     = 1 << 13
	auditedRanges = 8
)

// Range is a run of stored events of a spool: those with numbers greater than After and up to Last, received between
// From and Until.
type Range struct {
	Spool       string
	After, Last uint64
	From, Until time.Time
}

// markStored adds events to the result of Ranges. They, and all earlier events of their spools, must be stored.
func (s *Store) markStored(ctx context.Context, events []event.Event) error {
	type row struct {
		spool  string
		bucket uint64
	}
	ranges := map[row]Range{}
	for i := range events {
		e := &events[i]
		if e.Spool == "" {
			continue
		}
		key := row{e.Spool, e.SpoolNumber / rangeSize}
		r, seen := ranges[key]
		if !seen {
			r = Range{From: e.ReceivedAt, Until: e.ReceivedAt}
		}
		r.Last = max(r.Last, e.SpoolNumber)
		if e.ReceivedAt.Before(r.From) {
			r.From = e.ReceivedAt
		}
		if e.ReceivedAt.After(r.Until) {
			r.Until = e.ReceivedAt
		}
		ranges[key] = r
	}
	if len(ranges) == 0 {
		return nil
	}
	return s.insert(ctx, "", "stored_ranges (spool, bucket, last, received_from, received_until)",
		func(batch driver.Batch) error {
			for key, r := range ranges {
				if err := batch.Append(key.spool, key.bucket, r.Last, r.From, r.Until); err != nil {
					return err
				}
			}
			return nil
		})
}

// MarkStored marks events of an earlier insert whose mark may be missing because the process died in between. All
// earlier events of their spools must be stored.
func (s *Store) MarkStored(ctx context.Context, ids []uuid.UUID) error {
	for part := range slices.Chunk(ids, maxParameters) {
		where := &conditions{}
		where.identified(part)
		sql := fmt.Sprintf(`INSERT INTO stored_ranges (spool, bucket, last, received_from, received_until)
			SELECT spool, intDiv(spool_number, %d) AS bucket, max(spool_number), min(received_at), max(received_at)
			FROM events WHERE %s AND spool != '' GROUP BY spool, bucket`, rangeSize, where)
		if err := s.conn.Exec(ctx, sql, where.args...); err != nil {
			return explain("mark events as stored", err)
		}
	}
	return nil
}

// Ranges returns the stored events after the positions, the ranges of each spool in order. Positions are by spool; a
// missing spool counts as 0. The result is empty if nothing is new.
func (s *Store) Ranges(ctx context.Context, positions map[string]uint64) ([]Range, error) {
	c := &conditions{}
	position := c.bind("Map(String, UInt64)", positions) + "[spool]"
	return s.ranges(ctx, c, position, "WHERE last > "+position, "bucket", "")
}

// recentRanges returns the ranges with events that were received within the window.
func (s *Store) recentRanges(ctx context.Context, window time.Duration) ([]Range, error) {
	c := &conditions{}
	return s.ranges(ctx, c, "0", "", fmt.Sprintf("intDiv(bucket, %d)", auditedRanges),
		"HAVING max(received_until) >= now64(6) - toIntervalSecond("+c.bind("Int64", int64(window.Seconds()))+")")
}

// ranges returns each group of rows as one range.
func (s *Store) ranges(ctx context.Context, c *conditions, position, where, group, having string) ([]Range, error) {
	sql := fmt.Sprintf(`SELECT spool, greatest(if(min(bucket) = 0, 0, min(bucket) * %d - 1), any(toUInt64(%s))), max(last), min(received_from), max(received_until)
		FROM stored_ranges %s GROUP BY spool, %s AS part %s ORDER BY spool, part`, rangeSize, position, where, group, having)
	return collect(ctx, s.conn, "find stored events", sql, c.args, func(rows driver.Rows, r *Range) error {
		return rows.Scan(&r.Spool, &r.After, &r.Last, &r.From, &r.Until)
	})
}

// Start returns the positions from which to follow an endpoint that is known since a time. After them are the events
// received from then on, as far as clocks agree, and all events stored from now on, whatever the clocks say.
func (s *Store) Start(ctx context.Context, known time.Time) (positions map[string]uint64, err error) {
	c := &conditions{}
	since := "received_at >= " + c.bindTime(known)
	type row struct {
		spool  string
		number uint64
	}
	rows, err := collect(ctx, s.conn, "read the positions of stored events", `SELECT spool, min(number) FROM
		(SELECT spool, toUInt64(max(last)) AS number FROM stored_ranges GROUP BY spool
		UNION ALL SELECT toString(spool), toUInt64(min(spool_number) - 1) AS number FROM events WHERE spool != '' AND `+since+` GROUP BY spool)
		GROUP BY spool`, c.args, func(rows driver.Rows, r *row) error { return rows.Scan(&r.spool, &r.number) })
	positions = make(map[string]uint64, len(rows))
	for _, r := range rows {
		positions[r.spool] = r.number
	}
	return positions, err
}
