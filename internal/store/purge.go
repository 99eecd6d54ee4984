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

// Purge removes deliveries and replays that have been final for as long as kept, and returns the number of removed
// deliveries. It keeps open deliveries, and all deliveries of a replay that is not final.
//
// Each delivery is removed with all its versions, or kept. ClickHouse removes rows part by part, so the condition must
// not depend on other rows of the table: after the removal of one version, an older one in another part would be the
// newest. The affected months are therefore merged first, which leaves one row of each delivery, its last. Before
// that, purge watermarks (the table swept) record up to which event an endpoint's deliveries are incomplete, so that
// no replay of undelivered events takes an older one for undelivered.
func (s *Store) Purge(ctx context.Context, kept Days) (deliveries uint64, err error) {
	if err := s.purgeUnmade(ctx); err != nil {
		return 0, explain("remove deliveries of replays that were never created", err)
	}
	if !finite(kept) {
		return 0, nil
	}
	cutoff, err := s.purgeUntil(ctx, time.Now().AddDate(0, 0, -int(kept)))
	if err != nil {
		return 0, err
	}
	unfinished, err := s.unfinished(ctx)
	if err != nil {
		return 0, err
	}
	ctx = with(ctx, s.cluster.purgeSettings())
	ended := endedBefore(cutoff, unfinished)
	found, err := s.purgeable(ctx, ended)
	if err != nil {
		return 0, err
	}
	if len(found) > 0 {
		if err := s.saveWatermarks(ctx, found); err != nil {
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

// purgeUnmade removes the deliveries of replays whose creators died while they froze them (see FreezeReplay), a day
// later.
func (s *Store) purgeUnmade(ctx context.Context) error {
	ids, err := collect(ctx, s.patient, "find deliveries without a replay",
		"SELECT replay_id FROM deliveries WHERE NOT "+made+
			" GROUP BY replay_id HAVING max(created_at) < now() - INTERVAL 1 DAY", nil, scanID)
	for part := range slices.Chunk(ids, maxParameters) {
		if err == nil {
			err = s.patient.Exec(with(ctx, s.cluster.purgeSettings()),
				"ALTER TABLE "+s.cluster.altered("deliveries")+" DELETE WHERE replay_id IN ("+quoteIDs(part)+")")
		}
	}
	return err
}

// pollerLookBack is longer than a poller looks back for missed events. The poller creates a delivery for each event
// without one.
const pollerLookBack = 10 * time.Minute

// purgeUntil returns the cutoff or, if that is earlier, the time up to which the slowest poller has read events: a
// process that was down for longer than the retention of deliveries must still find its deliveries.
func (s *Store) purgeUntil(ctx context.Context, cutoff time.Time) (time.Time, error) {
	var following uint64
	var last time.Time
	err := s.conn.QueryRow(ctx, `SELECT count(), min(until) FROM
		(SELECT argMax((state, followed_since, followed_until), updated_at) AS last, last.3 AS until FROM endpoint_states GROUP BY endpoint HAVING last.1 != 'removed' AND last.2 > 0)`).Scan(&following, &last)
	if last = last.Add(-pollerLookBack); following > 0 && last.Before(cutoff) {
		return last, explain("read the positions of pollers", err)
	}
	return cutoff, explain("read the positions of pollers", err)
}

// purgeSettings make each statement return when its work is done, or fail. The key determines a delivery's month, so
// FINAL need not compare months.
func (c cluster) purgeSettings() clickhouse.Settings {
	settings := clickhouse.Settings{"mutations_sync": 1, "optimize_skip_merged_partitions": 1,
		"optimize_throw_if_noop": 1, "do_not_merge_across_partitions_select_final": 1}
	if !c.one() {
		// A shard without rows of the month would cause an error; checkMerged checks instead.
		maps.Copy(settings, clickhouse.Settings{"optimize_throw_if_noop": 0,
			"distributed_ddl_task_timeout": int(patience.Seconds())})
	}
	return settings
}

// removeDeliveries merges the months of ended deliveries, so that each delivery has one row left, and removes these
// rows.
func (s *Store) removeDeliveries(ctx context.Context, found []purgeable, ended string) error {
	merged := map[uint32]bool{}
	for _, f := range found {
		if merged[f.month] {
			continue
		}
		merged[f.month] = true
		if err := s.patient.Exec(ctx, fmt.Sprintf("OPTIMIZE TABLE %s PARTITION %d FINAL",
			s.cluster.altered("deliveries"), f.month)); err != nil {
			return err
		}
		if err := s.checkMerged(ctx, "deliveries", fmt.Sprint(f.month)); err != nil {
			return err
		}
	}
	return s.patient.Exec(ctx, "ALTER TABLE "+s.cluster.altered("deliveries")+" DELETE WHERE "+ended)
}

// removeReplays changes nothing if nothing would be removed. The statement names the replays, because replicas refuse
// a subquery on another table, which may differ between them.
func (s *Store) removeReplays(ctx context.Context, cutoff time.Time) error {
	ids, err := s.replaysWhere(ctx, finalBefore(cutoff))
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
		if err := s.patient.Exec(ctx, "ALTER TABLE "+s.cluster.altered("replays")+" DELETE WHERE id IN ("+
			quoteIDs(part)+")"); err != nil {
			return err
		}
	}
	return nil
}

// checkMerged returns an error if a shard has more than one part of a partition. A single server reports that itself.
func (s *Store) checkMerged(ctx context.Context, table, partition string) error {
	if s.cluster.one() {
		return nil
	}
	var most uint64
	err := s.conn.QueryRow(ctx, "SELECT max(n) FROM (SELECT count() AS n FROM "+s.cluster.parts()+
		" WHERE active AND database = "+quoteText(s.Database())+
		" AND table = "+quoteText(s.cluster.own(table))+" AND partition = "+quoteText(partition)+
		" GROUP BY _shard_num, partition)").Scan(&most)
	if err == nil && most > 1 {
		err = fmt.Errorf("partition %s of %s is in %d parts on a shard and could not be merged; the next purge tries "+
			"again", partition, table, most)
	}
	return err
}

// unfinished returns the replays that are not final.
func (s *Store) unfinished(ctx context.Context) ([]uuid.UUID, error) {
	return s.replaysWhere(ctx, "NOT "+finalReplay)
}

func (s *Store) replaysWhere(ctx context.Context, condition string) ([]uuid.UUID, error) {
	return collect(ctx, s.conn, "read replays", "SELECT id FROM replays FINAL WHERE "+condition, nil, scanID)
}

// endedBefore is the condition for the last row of a delivery that ended before a time and belongs to no unfinished
// replay. It refers to the past, so concurrent changes do not affect it.
func endedBefore(cutoff time.Time, unfinished []uuid.UUID) string {
	at := quoteText(micros(cutoff))
	condition := fmt.Sprintf("event_received_at < %[1]s AND updated_at < %[1]s AND NOT %[2]s", at, openState)
	if len(unfinished) > 0 {
		condition += " AND replay_id NOT IN (" + quoteIDs(unfinished) + ")"
	}
	return condition
}

// finalBefore is the same for replays that have no deliveries left.
func finalBefore(cutoff time.Time) string {
	return "updated_at < " + quoteText(micros(cutoff)) + " AND " + finalReplay +
		" AND id NOT IN (SELECT replay_id FROM deliveries)"
}

func quoteIDs(ids []uuid.UUID) string { return "'" + strings.Join(uuidStrings(ids), "', '") + "'" }

// purgeable counts the deliveries of an endpoint and month that a purge would remove.
type purgeable struct {
	endpoint string
	month    uint32 // such as 202601: a partition of the table
	count    uint64
	newest   time.Time // receipt of the newest event among them
}

func (s *Store) purgeable(ctx context.Context, ended string) ([]purgeable, error) {
	return collect(ctx, s.patient, "find old deliveries",
		"SELECT endpoint, toYYYYMM(event_received_at) AS month, count(), max(event_received_at) FROM deliveries "+
			"FINAL WHERE "+
			ended+" GROUP BY endpoint, month", nil, func(rows driver.Rows, f *purgeable) error {
			return rows.Scan(&f.endpoint, &f.month, &f.count, &f.newest)
		})
}

func (s *Store) saveWatermarks(ctx context.Context, found []purgeable) error {
	return s.insert(ctx, "", "swept (endpoint, event_received_at)", func(batch driver.Batch) error {
		for _, f := range found {
			if err := batch.Append(f.endpoint, f.newest); err != nil {
				return err
			}
		}
		return nil
	})
}

// remembered requires that all deliveries of an event to an endpoint are known: none was purged.
func (c *conditions) remembered(endpoint string) string {
	return "received_at > (SELECT max(event_received_at) FROM swept WHERE endpoint = " + c.bind("String", endpoint) +
		")"
}
