package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// RetentionStatus is the retention of some rows, and their number.
type RetentionStatus struct {
	What        string    `json:"what" doc:"A table, or a column such as events.body." example:"events"`
	Source      string    `json:"source,omitempty" doc:"The source of the rows; absent if the retention is the same for all."`
	NotAccepted bool      `json:"rejected" doc:"Whether these are rejected requests, of all sources."`
	Configured  string    `json:"configured" doc:"The retention of the configuration, such as 90d, or for ever."`
	InForce     string    `json:"in_force" doc:"The retention that ClickHouse has. It differs until the next start or migration."`
	Rows        uint64    `json:"rows" doc:"The number of rows; of deliveries and replays each version."`
	Oldest      time.Time `json:"oldest,omitzero" doc:"The time of the oldest row; absent without rows."`
	// The next merges (of deliveries and replays: the next purge) remove these.
	Expired             uint64 `json:"expired" doc:"Rows past the retention in force, which ClickHouse removes within hours."`
	ExpiredAsConfigured uint64 `json:"expired_as_configured" doc:"Rows that the configured retention would remove now."`
}

// RetentionReport compares a retention with the one in force, by table and source.
func (s *Store) RetentionReport(ctx context.Context, r Retention) ([]RetentionStatus, error) {
	var report []RetentionStatus
	for _, x := range expirings {
		if x.made {
			continue
		}
		rows, err := s.keptOf(ctx, x, r)
		if err != nil {
			return nil, err
		}
		report = append(report, rows...)
	}
	swept, err := s.purgeReport(ctx, r.Attempts)
	return append(report, swept...), err
}

func (s *Store) keptOf(ctx context.Context, x expiring, r Retention) ([]RetentionStatus, error) {
	ttl, err := s.ttlOf(ctx, x)
	if err != nil {
		return nil, err
	}
	wanted := x.of(r)
	inForce, ours := parseTTL(ttl)
	list, err := collect(ctx, s.patient, "count rows of "+x.String(), x.report(ttl, wanted.ttl(x.since)), nil,
		func(rows driver.Rows, k *RetentionStatus) error {
			k.What = x.String()
			if err := rows.Scan(&k.Source, &k.NotAccepted, &k.Rows, &k.Oldest, &k.Expired,
				&k.ExpiredAsConfigured); err != nil {
				return err
			}
			k.Oldest = zeroIfEpoch(k.Oldest)
			k.Configured, k.InForce = wanted.of(k.Source, k.NotAccepted).String(), ttl
			if ours {
				k.InForce = inForce.of(k.Source, k.NotAccepted).String()
			}
			return nil
		})
	if err == nil && len(list) == 0 {
		list = []RetentionStatus{{What: x.String(), Configured: wanted.String(), InForce: words(inForce, ttl, ours)}}
	}
	return list, err
}

// report returns a query with one row per source and one for rejected events; for a table without sources, one row.
func (x expiring) report(inForce, configured string) string {
	source, refused, there := "''", "false", "true"
	switch {
	case x.table == "events" && x.column == "":
		source, refused = "if(refused, '', toString(source))", "verdict != 'accepted'"
	case x.table == "events":
		source, there = "toString(source)", x.column+" != ''"
	case x.table == "quarantine":
		source = "toString(source)"
	}
	return fmt.Sprintf(`SELECT %s AS of, %s AS refused, countIf(%s AS there), toDateTime64(minIf(%s, there), 6, 'UTC'), countIf(there AND %s), countIf(there AND %s)
		FROM %s GROUP BY of, refused ORDER BY refused, of`, source, refused, there, x.since, expired(inForce), expired(configured), x.table)
}

// expired returns the condition that a row is past a time of expiry.
func expired(ttl string) string {
	if ttl == "" {
		return "false"
	}
	return "(" + ttl + ") <= now()"
}

// of returns the retention of a source's rows.
func (k keep) of(source string, refused bool) Days {
	d, differs := k.sources[source]
	if !differs || refused {
		d = k.all
	}
	if d == 0 {
		d = Forever
	}
	if refused && finite(k.rejected) {
		d = min(d, k.rejected)
	}
	return d
}

func (s *Store) purgeReport(ctx context.Context, kept Days) ([]RetentionStatus, error) {
	deliveries, replays := "false", "false"
	if finite(kept) {
		unfinished, err := s.unfinished(ctx)
		if err != nil {
			return nil, err
		}
		cutoff, err := s.purgeUntil(ctx, time.Now().AddDate(0, 0, -int(kept)))
		if err != nil {
			return nil, err
		}
		deliveries = endedBefore(cutoff, unfinished)
		replays = finalBefore(cutoff)
	}
	ctx = with(ctx, s.cluster.purgeSettings())
	var report []RetentionStatus
	for _, t := range []struct{ table, expired string }{{"deliveries", deliveries}, {"replays", replays}} {
		k := RetentionStatus{What: t.table, Configured: kept.String(), InForce: kept.String()}
		err := s.patient.QueryRow(ctx, "SELECT count(), min(updated_at), countIf("+t.expired+") FROM "+t.table+
			" FINAL").
			Scan(&k.Rows, &k.Oldest, &k.Expired)
		if err != nil {
			return nil, explain("count rows of "+t.table, err)
		}
		k.Oldest, k.ExpiredAsConfigured = zeroIfEpoch(k.Oldest), k.Expired
		report = append(report, k)
	}
	return report, nil
}
