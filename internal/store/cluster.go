package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// On a cluster each table exists twice. Every server has its own one, replicated within its shard, whose name ends in
// ownTable. A Distributed table with the plain name spans them; all reads and inserts use it, on any server.
// Statements that change a table (ALTER, OPTIMIZE) name the servers' own tables, ON CLUSTER.
const ownTable = "_local"

// shardedBy has the column or expression of each table whose hash chooses a row's shard. All versions of a row have it
// in common and are on one shard, so each shard applies FINAL and drops repeated batches without the others.
// An insert becomes visible on one shard before the next. Events and deliveries of a subscriber are therefore on one
// shard: a reader that sees one of them also sees the earlier ones of the same insert.
var shardedBy = map[string]string{
	"events": subscriber, "deliveries": "subscriber", byPosition: "subscriber", "attempts": "event_id",
	"quarantine": "id",
	"replays":    "id", "commands": "target", "endpoint_states": "endpoint", "swept": "endpoint",
	"stored_ranges": "spool", "holders": "shard", "audit_log": "who", "saved_views": "name",
	"otel_traces": "TraceId", "otel_traces_trace_id_ts": "TraceId", versions: "version_id",
}

// ShardedBy is shardedBy with the names of the servers' own tables.
func ShardedBy() map[string]string {
	own := map[string]string{}
	for table, column := range shardedBy {
		own[table+ownTable] = column
	}
	return own
}

// clusterSettings apply to every query. Settings in the DSN take precedence.
var clusterSettings = clickhouse.Settings{
	// An insert returns when each shard has it on disk; by default it would wait in a queue of the server that took
	// it.
	"distributed_foreground_insert": 1,
	// A subquery runs on all shards and its result goes to each: correct for every sharding, and for people's own
	// expressions.
	"distributed_product_mode":           "global",
	"parallel_distributed_insert_select": 0,
	// Every server reads and writes the first replica of each shard that is up, so it finds what was written. A
	// replica that was down is not read before it has caught up.
	"load_balancing": "in_order", "prefer_localhost_replica": 0, "max_replica_delay_for_distributed_queries": 1,
	// A change of a table returns when all replicas have it: another server may make the next one.
	"alter_sync": 2,
	// A shard that is down causes an error, never an answer without its rows.
	"skip_unavailable_shards": 0,
}

// cluster says where statements about tables go: to the servers of a cluster or, with an empty name, to the server of
// the DSN.
type cluster struct{ name, database string }

// one reports whether there is a single server.
func (c cluster) one() bool { return c.name == "" }

// on returns the ON CLUSTER clause.
func (c cluster) on() string { return "ON CLUSTER " + quoteName(c.name) }

// table returns the full name of a table, which statements ON CLUSTER need.
func (c cluster) table(name string) string { return quoteName(c.database) + "." + quoteName(name) }

// altered returns a table of the schema in the form that ALTER and OPTIMIZE need.
func (c cluster) altered(table string) string {
	if c.one() {
		return table
	}
	return c.table(table+ownTable) + " " + c.on()
}

// whole returns the database in the form that BACKUP and RESTORE need.
func (c cluster) whole() string {
	if c.one() {
		return quoteName(c.database)
	}
	return quoteName(c.database) + " " + c.on()
}

// own returns the name of the table that has the rows of a table of the schema.
func (c cluster) own(table string) string {
	if c.one() {
		return table
	}
	return table + ownTable
}

// parts returns the table of all shards' parts, each part once.
func (c cluster) parts() string {
	if c.one() {
		return "system.parts"
	}
	return "cluster(" + quoteText(c.name) + ", system.parts)"
}

// versions is goose's table of applied migrations.
const versions = "goose_db_version"

// versionsTable is the statement of goose's dialect for ClickHouse, formatted like our migrations.
const versionsTable = `CREATE TABLE IF NOT EXISTS goose_db_version
(
    version_id Int64,
    is_applied UInt8,
    date       Date DEFAULT now(),
    tstamp     DateTime DEFAULT now()
)
ENGINE = MergeTree
ORDER BY version_id
`

// ErrOtherLayout reports that the tables are those of a cluster and none is configured, or the reverse.
var ErrOtherLayout = errors.New("the database's tables have another layout than configured")

// checkLayout refuses tables of another layout than the configured one. Tables of a single server would be filled on
// that server alone, and inserts through tables of a cluster would only be queued. On a cluster it also creates the
// table of versions, because goose would create it on this server alone.
func (s *Store) checkLayout(ctx context.Context) error {
	var engine string
	err := s.conn.QueryRow(ctx, "SELECT any(engine) FROM system.tables WHERE database = currentDatabase() AND name = "+
		quoteText(versions)).Scan(&engine)
	if err != nil {
		return explain("read the layout of the tables", err)
	}
	spread := engine == "Distributed"
	switch {
	case s.cluster.one() && spread:
		return fmt.Errorf("%w: %s belongs to a cluster; set clickhouse.cluster to the cluster's name", ErrOtherLayout,
			s.Database())
	case !s.cluster.one() && engine != "" && !spread:
		return fmt.Errorf("%w: %s belongs to a single server; name a new database in the DSN, and move the data "+
			"there with backup and restore", ErrOtherLayout, s.Database())
	case s.cluster.one():
		return nil
	case !spread:
		if err := s.makeVersions(ctx); err != nil {
			return explain("create the table of versions", err)
		}
	}
	// Goose expects this row in the table.
	return explain("fill the table of versions",
		s.conn.Exec(ctx, "INSERT INTO "+versions+" (version_id, is_applied) SELECT 0, 1 WHERE (SELECT count() FROM "+
			versions+") = 0"))
}

func (s *Store) makeVersions(ctx context.Context) error {
	statements, err := s.cluster.spread(versionsTable)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := s.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
