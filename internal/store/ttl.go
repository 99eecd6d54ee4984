package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// expiring is a table, or one column of it, whose rows or values ClickHouse removes (TTL).
// Deliveries and replays are not among them. Only the newest version of their rows counts, and ClickHouse may remove it
// while an older version is in another part: a delivery that ended a year ago would be pending again, and sent. See
// Purge.
type expiring struct {
	table  string
	column string // empty: whole rows
	since  string // the column from which the time counts
	of     func(Retention) keep
	made   bool // computed from the column before it; no report names it
}

var expirings = []expiring{
	{"events", "", "received_at", Retention.events, false},
	{"events", "body", "received_at", Retention.bodies, false},
	{"events", "body_text", "received_at", Retention.bodies, true},   // computed from the body
	{"events", "search_body", "received_at", Retention.bodies, true}, // computed from the body
	{"quarantine", "", "received_at", Retention.quarantine, false},
	{"attempts", "", "started_at", func(r Retention) keep { return keep{all: r.Attempts} }, false},
	{"otel_traces", "", "Timestamp", func(r Retention) keep { return keep{all: r.Traces} }, false},
	{"otel_traces_trace_id_ts", "", "Start", func(r Retention) keep { return keep{all: r.Traces} }, false},
}

// String returns the table, and the column.
func (x expiring) String() string { return strings.TrimSuffix(x.table+"."+x.column, ".") }

// RetentionChange is a retention that was applied.
type RetentionChange struct {
	What   string // a table, or a column such as events.body
	Before string // for people, such as "90d, demo 30d"
	After  string
}

// ApplyRetention changes the retention in force to r and returns the changes. Expired rows are removed by the next
// merges, in the background. A TTL that another program has set is kept unless r differs from the default.
func (s *Store) ApplyRetention(ctx context.Context, r Retention) (changes []RetentionChange, err error) {
	for _, x := range expirings {
		inForce, err := s.ttlOf(ctx, x)
		if err != nil {
			return changes, err
		}
		wanted := x.of(r)
		ttl := wanted.ttl(x.since)
		before, ours := parseTTL(inForce)
		byDefault := ttl == "" || ttl == x.of(DefaultRetention).ttl(x.since)
		if ttl == inForce || byDefault && !ours {
			continue
		}
		// Do not wait until the times of expiry are computed: on a large table that takes minutes.
		if err := s.conn.Exec(with(ctx, clickhouse.Settings{"alter_sync": 0}),
			x.alter(s.cluster.altered(x.table), ttl)); err != nil {
			return changes, explain("change the retention of "+x.String(), err)
		}
		if !x.made {
			changes = append(changes, RetentionChange{x.String(), words(before, inForce, ours), wanted.String()})
		}
	}
	return changes, nil
}

func words(k keep, ttl string, ours bool) string {
	if !ours {
		return ttl
	}
	return k.String()
}

// alter returns the statement that sets an expression; an empty one removes the TTL.
func (x expiring) alter(table, ttl string) string {
	what := ""
	if x.column != "" {
		what = "COLUMN " + x.column + " "
	}
	if ttl == "" && x.column == "" {
		return "ALTER TABLE " + table + " REMOVE TTL"
	}
	if ttl == "" {
		return "ALTER TABLE " + table + " MODIFY " + what + "REMOVE TTL"
	}
	return "ALTER TABLE " + table + " MODIFY " + what + "TTL " + ttl
}

// ttlOf returns the current expression as ClickHouse formats it, or "" if there is none.
func (s *Store) ttlOf(ctx context.Context, x expiring) (ttl string, err error) {
	var engine, create string
	err = s.conn.QueryRow(ctx,
		"SELECT engine_full, create_table_query FROM system.tables WHERE database = currentDatabase() AND name = "+
			quoteText(s.cluster.own(x.table))).Scan(&engine, &create)
	if err != nil {
		return "", explain("read the retention of "+x.String(), err)
	}
	if x.column == "" {
		_, ttl, _ = strings.Cut(engine, " TTL ")
		ttl, _, _ = strings.Cut(ttl, " SETTINGS ")
		return ttl, nil
	}
	_, ttl, found := strings.Cut(create, "`"+x.column+"` ")
	if !found {
		return "", fmt.Errorf("read the retention of %s: the table has no such column", x)
	}
	ttl, _, _ = strings.Cut(ttl, ", `")
	_, ttl, _ = strings.Cut(ttl, " TTL ")
	return ttl, nil
}
