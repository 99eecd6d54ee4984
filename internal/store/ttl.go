package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// expiring is a table, or one column of it, whose rows or values ClickHouse removes by itself (TTL).
//
// Deliveries and replays are not among them. Their rows are versions of which the newest counts, and ClickHouse may remove
// the newest while an older one waits in another part: a delivery that ended a year ago would be pending again, and sent.
// See Purge.
type expiring struct {
	table  string
	column string // empty: whole rows
	since  string // the column that their age counts from
	of     func(Retention) keep
	made   bool // of the column before it, with which it goes; no report names it
}

var expirings = []expiring{
	{"events", "", "received_at", Retention.events, false},
	{"events", "body", "received_at", Retention.bodies, false},
	{"events", "body_text", "received_at", Retention.bodies, true},   // made of the body
	{"events", "search_body", "received_at", Retention.bodies, true}, // made of the body
	{"quarantine", "", "received_at", Retention.quarantine, false},
	{"attempts", "", "started_at", func(r Retention) keep { return keep{all: r.Attempts} }, false},
	{"otel_traces", "", "Timestamp", func(r Retention) keep { return keep{all: r.Traces} }, false},
	{"otel_traces_trace_id_ts", "", "Start", func(r Retention) keep { return keep{all: r.Traces} }, false},
}

// String is the table, and the column.
func (x expiring) String() string { return strings.TrimSuffix(x.table+"."+x.column, ".") }

// RetentionChange is a retention that was put in force.
type RetentionChange struct {
	What   string // a table, or a column such as events.body
	Before string // in words, such as "90d, demo 30d"
	After  string
}

// ApplyRetention puts a retention in force where another one is, and returns what it has changed. What has expired goes
// with the next merges, in the background. Where nothing is asked for but the default, a TTL of somebody else's stays as it
// is.
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
		// Not waiting for the times of expiry to be computed anew: on a large table that takes minutes.
		if err := s.conn.Exec(with(ctx, clickhouse.Settings{"alter_sync": 0}), x.alter(s.cluster.altered(x.table), ttl)); err != nil {
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

// alter is the statement that puts an expression in force; an empty one removes what is there.
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

// ttlOf is the expression in force, as ClickHouse shows it; empty when there is none.
func (s *Store) ttlOf(ctx context.Context, x expiring) (ttl string, err error) {
	var engine, create string
	err = s.conn.QueryRow(ctx, "SELECT engine_full, create_table_query FROM system.tables WHERE database = currentDatabase() AND name = "+quoteText(s.cluster.own(x.table))).Scan(&engine, &create)
	if err != nil {
		return "", explain("look for the retention of "+x.String(), err)
	}
	if x.column == "" {
		_, ttl, _ = strings.Cut(engine, " TTL ")
		ttl, _, _ = strings.Cut(ttl, " SETTINGS ")
		return ttl, nil
	}
	_, ttl, found := strings.Cut(create, "`"+x.column+"` ")
	if !found {
		return "", fmt.Errorf("look for the retention of %s: the table has no such column", x)
	}
	ttl, _, _ = strings.Cut(ttl, ", `")
	_, ttl, _ = strings.Cut(ttl, " TTL ")
	return ttl, nil
}
