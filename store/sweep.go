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
// Each delivery goes with all its versions, or stays. Before, it is noted up to which event an endpoint's deliveries are
// not complete any more (swept), so that no replay of what is undelivered takes an old event for one.
func (s *Store) Sweep(ctx context.Context, kept Days) (deliveries uint64, err error) {
	if !finite(kept) {
		return 0, nil
	}
	cutoff := time.Now().AddDate(0, 0, -int(kept))
	found, err := s.sweepable(ctx, cutoff)
	if err != nil {
		return 0, err
	}
	for _, f := range found {
		deliveries += f.count
	}
	ctx = with(ctx, clickhouse.Settings{"mutations_sync": 1})
	if deliveries > 0 {
		if err := s.noteSwept(ctx, found); err != nil {
			return 0, err
		}
		if err := s.patient.Exec(ctx, "ALTER TABLE deliveries DELETE WHERE "+endedBefore(cutoff)); err != nil {
			return 0, explain("remove old deliveries", err)
		}
	}
	return deliveries, explain("remove old replays", s.sweepReplays(ctx, cutoff))
}

// sweepReplays changes nothing where nothing would go.
func (s *Store) sweepReplays(ctx context.Context, cutoff time.Time) error {
	old := endedReplaysBefore(cutoff)
	var n uint64
	if err := s.conn.QueryRow(ctx, "SELECT count() FROM replays WHERE "+old).Scan(&n); err != nil || n == 0 {
		return err
	}
	return s.patient.Exec(ctx, "ALTER TABLE replays DELETE WHERE "+old)
}

// endedBefore is the condition for rows of deliveries that ended before a time. An event that was received later has none.
// It is about a moment in the past, so that what happens meanwhile changes nothing of it.
func endedBefore(cutoff time.Time) string {
	at := quoteText(micros(cutoff))
	return fmt.Sprintf("event_received_at < %[1]s AND updated_at < %[1]s"+
		" AND (replay_id, endpoint, event_received_at, event_id) NOT IN (SELECT replay_id, endpoint, event_received_at, event_id FROM deliveries FINAL"+
		" WHERE event_received_at < %[1]s AND (updated_at >= %[1]s OR %[2]s))"+
		" AND replay_id NOT IN (SELECT id FROM replays FINAL WHERE state NOT IN ('done', 'cancelled'))", at, openState)
}

// endedReplaysBefore is the condition for rows of replays that ended before a time and of which there is no delivery.
func endedReplaysBefore(cutoff time.Time) string {
	return fmt.Sprintf("updated_at < %[1]s AND id NOT IN (SELECT id FROM replays FINAL WHERE state NOT IN ('done', 'cancelled') OR updated_at >= %[1]s)"+
		" AND id NOT IN (SELECT replay_id FROM deliveries)", quoteText(micros(cutoff)))
}

// sweepable is what of an endpoint's deliveries a sweep would remove.
type sweepable struct {
	endpoint string
	count    uint64
	newest   time.Time // receipt of the newest event among them
}

func (s *Store) sweepable(ctx context.Context, cutoff time.Time) ([]sweepable, error) {
	// The month of a delivery follows from its key; its last state is the one row that is final.
	ctx = with(ctx, clickhouse.Settings{"do_not_merge_across_partitions_select_final": 1})
	return collect(ctx, s.patient, "look for old deliveries", "SELECT endpoint, countIf(NOT "+openState+"), max(event_received_at) FROM deliveries WHERE "+
		endedBefore(cutoff)+" GROUP BY endpoint", nil, func(rows driver.Rows, f *sweepable) error {
		return rows.Scan(&f.endpoint, &f.count, &f.newest)
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
