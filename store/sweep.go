package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Sweep removes deliveries and replays that have been at their end for so long, and returns how many deliveries went.
// What is open stays, and so does all of a replay that is not over.
//
// Each delivery goes with all its versions, or stays. ClickHouse removes rows part by part, so that what is to go must not
// depend on other rows of the table: a version that is gone would make an older one, in another part, the newest. So the
// months that have something to go are merged first, which leaves one row of each delivery, its last. Before that it is
// noted up to which event an endpoint's deliveries are not complete any more (swept), so that no replay of what is
// undelivered takes an old event for one.
func (s *Store) Sweep(ctx context.Context, kept Days) (deliveries uint64, err error) {
	if !finite(kept) {
		return 0, nil
	}
	cutoff, err := s.sweepUntil(ctx, time.Now().AddDate(0, 0, -int(kept)))
	if err != nil {
		return 0, err
	}
	found, err := s.sweepable(ctx, cutoff)
	if err != nil {
		return 0, err
	}
	ctx = with(ctx, clickhouse.Settings{"mutations_sync": 1, "optimize_throw_if_noop": 1, "optimize_skip_merged_partitions": 1})
	if len(found) > 0 {
		if err := s.noteSwept(ctx, found); err != nil {
			return 0, err
		}
		if err := s.removeDeliveries(ctx, found, cutoff); err != nil {
			return 0, explain("remove old deliveries", err)
		}
	}
	for _, f := range found {
		deliveries += f.count
	}
	return deliveries, explain("remove old replays", s.removeReplays(ctx, cutoff))
}

// followersLookBack is more than a follower goes back for events that it has missed. What it finds without a delivery it
// makes one for.
const followersLookBack = 10 * time.Minute

// sweepUntil is the cutoff, or the time that the last of those who follow events has come to, if that is earlier: a process
// that was away for longer than deliveries are kept must find them.
func (s *Store) sweepUntil(ctx context.Context, cutoff time.Time) (time.Time, error) {
	var following uint64
	var last time.Time
	err := s.conn.QueryRow(ctx, `SELECT count(), min(followed_until) FROM endpoint_states FINAL WHERE state != 'removed' AND followed_since > 0
		AND (endpoint, extract(shard, '/.*')) IN (SELECT endpoint, argMax(extract(shard, '/.*'), updated_at) FROM endpoint_states GROUP BY endpoint)`).Scan(&following, &last)
	if last = last.Add(-followersLookBack); following > 0 && last.Before(cutoff) {
		return last, explain("look how far events are followed", err)
	}
	return cutoff, explain("look how far events are followed", err)
}

// removeDeliveries removes the rows that are the last of an ended delivery, in months that have nothing but last rows.
func (s *Store) removeDeliveries(ctx context.Context, found []sweepable, cutoff time.Time) error {
	merged := map[uint32]bool{}
	for _, f := range found {
		if merged[f.month] {
			continue
		}
		merged[f.month] = true
		if err := s.patient.Exec(ctx, fmt.Sprintf("OPTIMIZE TABLE deliveries PARTITION %d FINAL", f.month)); err != nil {
			return err
		}
	}
	return s.patient.Exec(ctx, "ALTER TABLE deliveries DELETE WHERE "+endedBefore(cutoff))
}

// removeReplays changes nothing where nothing would go.
func (s *Store) removeReplays(ctx context.Context, cutoff time.Time) error {
	old := overBefore(cutoff)
	var n uint64
	if err := s.conn.QueryRow(ctx, "SELECT count() FROM replays FINAL WHERE "+old).Scan(&n); err != nil || n == 0 {
		return err
	}
	if err := s.patient.Exec(ctx, "OPTIMIZE TABLE replays FINAL"); err != nil {
		return err
	}
	return s.patient.Exec(ctx, "ALTER TABLE replays DELETE WHERE "+old)
}

// endedBefore is the condition for the last row of a delivery that ended before a time. It is about a moment in the past,
// so that what happens meanwhile changes nothing of it.
func endedBefore(cutoff time.Time) string {
	at := quoteText(micros(cutoff))
	return fmt.Sprintf("event_received_at < %[1]s AND updated_at < %[1]s AND NOT %[2]s"+
		" AND replay_id NOT IN (SELECT id FROM replays FINAL WHERE state NOT IN ('done', 'cancelled'))", at, openState)
}

// overBefore is the same for replays, of which there must be no delivery any more.
func overBefore(cutoff time.Time) string {
	return "updated_at < " + quoteText(micros(cutoff)) + " AND state IN ('done', 'cancelled') AND id NOT IN (SELECT replay_id FROM deliveries)"
}

// sweepable is what of an endpoint's deliveries of a month a sweep would remove.
type sweepable struct {
	endpoint string
	month    uint32 // such as 202601: a partition of the table
	count    uint64
	newest   time.Time // receipt of the newest event among them
}

func (s *Store) sweepable(ctx context.Context, cutoff time.Time) ([]sweepable, error) {
	// The month of a delivery follows from its key.
	ctx = with(ctx, clickhouse.Settings{"do_not_merge_across_partitions_select_final": 1})
	return collect(ctx, s.patient, "look for old deliveries", "SELECT endpoint, toYYYYMM(event_received_at) AS month, count(), max(event_received_at) FROM deliveries FINAL WHERE "+
		endedBefore(cutoff)+" GROUP BY endpoint, month", nil, func(rows driver.Rows, f *sweepable) error {
		return rows.Scan(&f.endpoint, &f.month, &f.count, &f.newest)
	})
}

func (s *Store) noteSwept(ctx context.Context, found []sweepable) error {
	return s.insert(ctx, "", "swept (endpoint, event_received_at)", func(batch driver.Batch) error {
		for _, f := range found {
			if err := batch.Append(f.endpoint, f.newest); err != nil {
				return err
			}
		}
		return nil
	})
}

// remembered is the condition that all deliveries of an event to an endpoint are known: none of them was swept.
func (c *conditions) remembered(endpoint string) string {
	return "received_at > (SELECT max(event_received_at) FROM swept WHERE endpoint = " + c.bind("String", endpoint) + ")"
}
