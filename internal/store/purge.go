package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Purge removes deliveries and replays that have been at their end for so long, and returns how many deliveries went.
// What is open stays, and so does all of a replay that is not over.
//
// Each delivery goes with all its versions, or stays. ClickHouse removes rows part by part, so that what is to go must not
// depend on other rows of the table: a version that is gone would make an older one, in another part, the newest. So the
// months that have something to go are merged first, which leaves one row of each delivery, its last. Before that it is
// noted up to which event an endpoint's deliveries are not complete any more (swept), so that no replay of what is
// undelivered takes an old event for one.
func (s *Store) Purge(ctx context.Context, kept Days) (deliveries uint64, err error) {
	if err := s.purgeUnmade(ctx); err != nil {
		return 0, explain("remove deliveries of replays that were never made", err)
	}
	if !finite(kept) {
		return 0, nil
	}
	cutoff, err := s.sweepUntil(ctx, time.Now().AddDate(0, 0, -int(kept)))
	if err != nil {
		return 0, err
	}
	unfinished, err := s.unfinished(ctx)
	if err != nil {
		return 0, err
	}
	ctx = with(ctx, s.cluster.sweepSettings())
	ended := endedBefore(cutoff, unfinished)
	found, err := s.sweepable(ctx, ended)
	if err != nil {
		return 0, err
	}
	if len(found) > 0 {
		if err := s.noteSwept(ctx, found); err != nil {
			return 0, err
		}
		if err := s.removeDeliveries(ctx, found, ended); err != nil {
			return 0, explain("remove old deliveries", err)
		}
	}
	for _, f := range found {
		deliveries += f.count
	}
	return deliveries, explain("remove old replays", s.removeReplays(ctx, cutoff))
}

// purgeUnmade removes the deliveries of replays whose makers died while they froze them (see FreezeReplay), a day later.
func (s *Store) purgeUnmade(ctx context.Context) error {
	ids, err := collect(ctx, s.patient, "look for deliveries without a replay", "SELECT replay_id FROM deliveries WHERE NOT "+made+
		" GROUP BY replay_id HAVING max(created_at) < now() - INTERVAL 1 DAY", nil, func(rows driver.Rows, id *uuid.UUID) error { return rows.Scan(id) })
	for part := range slices.Chunk(ids, maxParameters) {
		if err == nil {
			err = s.patient.Exec(with(ctx, s.cluster.sweepSettings()), "ALTER TABLE "+s.cluster.altered("deliveries")+" DELETE WHERE replay_id IN ("+quoteIDs(part)+")")
		}
	}
	return err
}

// followersLookBack is more than a follower goes back for events that it has missed. What it finds without a delivery it
// makes one for.
const followersLookBack = 10 * time.Minute

// sweepUntil is the cutoff, or the time that the last of those who follow events has come to, if that is earlier: a process
// that was away for longer than deliveries are kept must find them.
func (s *Store) sweepUntil(ctx context.Context, cutoff time.Time) (time.Time, error) {
	var following uint64
	var last time.Time
	err := s.conn.QueryRow(ctx, `SELECT count(), min(until) FROM
		(SELECT argMax((state, followed_since, followed_until), updated_at) AS last, last.3 AS until FROM endpoint_states GROUP BY endpoint HAVING last.1 != 'removed' AND last.2 > 0)`).Scan(&following, &last)
	if last = last.Add(-followersLookBack); following > 0 && last.Before(cutoff) {
		return last, explain("look how far events are followed", err)
	}
	return cutoff, explain("look how far events are followed", err)
}

// sweepSettings have each statement end when its work is done, or fail. A statement may name a hundred thousand replays that are
// not over. The month of a delivery follows from its key, so that FINAL need not look beyond it.
func (c cluster) sweepSettings() clickhouse.Settings {
	settings := clickhouse.Settings{"mutations_sync": 1, "optimize_skip_merged_partitions": 1, "optimize_throw_if_noop": 1,
		"max_query_size": 4 << 20, "do_not_merge_across_partitions_select_final": 1}
	if !c.one() {
		// A shard that has nothing of a month would be an error; checkMerged looks in its place.
		maps.Copy(settings, clickhouse.Settings{"optimize_throw_if_noop": 0, "distributed_ddl_task_timeout": int(patience.Seconds())})
	}
	return settings
}

// removeDeliveries removes the rows that are the last of an ended delivery, in months that have nothing but last rows.
func (s *Store) removeDeliveries(ctx context.Context, found []sweepable, ended string) error {
	merged := map[uint32]bool{}
	for _, f := range found {
		if merged[f.month] {
			continue
		}
		merged[f.month] = true
		if err := s.patient.Exec(ctx, fmt.Sprintf("OPTIMIZE TABLE %s PARTITION %d FINAL", s.cluster.altered("deliveries"), f.month)); err != nil {
			return err
		}
		if err := s.checkMerged(ctx, "deliveries", fmt.Sprint(f.month)); err != nil {
			return err
		}
	}
	return s.patient.Exec(ctx, "ALTER TABLE "+s.cluster.altered("deliveries")+" DELETE WHERE "+ended)
}

// removeReplays changes nothing where nothing would go. What goes is named in the statement: replicas of a table refuse to
// look for it in another one, where each might find something else.
func (s *Store) removeReplays(ctx context.Context, cutoff time.Time) error {
	ids, err := s.replaysWhere(ctx, overBefore(cutoff))
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := s.patient.Exec(ctx, "OPTIMIZE TABLE "+s.cluster.altered("replays")+" FINAL"); err != nil {
		return err
	}
	if err := s.checkMerged(ctx, "replays", "tuple()"); err != nil {
		return err
	}
	for part := range slices.Chunk(ids, maxParameters) {
		if err := s.patient.Exec(ctx, "ALTER TABLE "+s.cluster.altered("replays")+" DELETE WHERE id IN ("+quoteIDs(part)+")"); err != nil {
			return err
		}
	}
	return nil
}

// checkMerged refuses to go on while a shard has more than one part of a partition. A single server has said so itself.
func (s *Store) checkMerged(ctx context.Context, table, partition string) error {
	if s.cluster.one() {
		return nil
	}
	var most uint64
	err := s.conn.QueryRow(ctx, "SELECT max(n) FROM (SELECT count() AS n FROM "+s.cluster.parts()+" WHERE active AND database = "+quoteText(s.Database())+
		" AND table = "+quoteText(s.cluster.own(table))+" AND partition = "+quoteText(partition)+" GROUP BY _shard_num, partition)").Scan(&most)
	if err == nil && most > 1 {
		err = fmt.Errorf("partition %s of %s is in %d parts on a shard and could not be merged; the next sweep tries again", partition, table, most)
	}
	return err
}

// unfinished are the replays that are not over.
func (s *Store) unfinished(ctx context.Context) ([]uuid.UUID, error) {
	return s.replaysWhere(ctx, "state NOT IN ('done', 'cancelled')")
}

func (s *Store) replaysWhere(ctx context.Context, condition string) ([]uuid.UUID, error) {
	return collect(ctx, s.conn, "read replays", "SELECT id FROM replays FINAL WHERE "+condition, nil, func(rows driver.Rows, id *uuid.UUID) error { return rows.Scan(id) })
}

// endedBefore is the condition for the last row of a delivery that ended before a time, and is of no replay that is
// unfinished. It is about a moment in the past, so that what happens meanwhile changes nothing of it.
func endedBefore(cutoff time.Time, unfinished []uuid.UUID) string {
	at := quoteText(micros(cutoff))
	condition := fmt.Sprintf("event_received_at < %[1]s AND updated_at < %[1]s AND NOT %[2]s", at, openState)
	if len(unfinished) > 0 {
		condition += " AND replay_id NOT IN (" + quoteIDs(unfinished) + ")"
	}
	return condition
}

// overBefore is the same for replays, of which there must be no delivery any more.
func overBefore(cutoff time.Time) string {
	return "updated_at < " + quoteText(micros(cutoff)) + " AND state IN ('done', 'cancelled') AND id NOT IN (SELECT replay_id FROM deliveries)"
}

func quoteIDs(ids []uuid.UUID) string { return "'" + strings.Join(uuidStrings(ids), "', '") + "'" }

// sweepable is what of an endpoint's deliveries of a month a sweep would remove.
type sweepable struct {
	endpoint string
	month    uint32 // such as 202601: a partition of the table
	count    uint64
	newest   time.Time // receipt of the newest event among them
}

func (s *Store) sweepable(ctx context.Context, ended string) ([]sweepable, error) {
	return collect(ctx, s.patient, "look for old deliveries", "SELECT endpoint, toYYYYMM(event_received_at) AS month, count(), max(event_received_at) FROM deliveries FINAL WHERE "+
		ended+" GROUP BY endpoint, month", nil, func(rows driver.Rows, f *sweepable) error {
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
