package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// On a cluster each table is two. Every server has one of its own, replicated within its shard, whose name ends in
// ownTable. Over those lies a Distributed one under the plain name, by which everything reads and inserts, whichever
// server it asks. What changes a table (ALTER, OPTIMIZE) is said of the servers' own, ON CLUSTER.
const ownTable = "_local"

// shardedBy is what the rows of a table are spread over the shards by: the hash of a column, or of an expression. All versions
// of a row have it in common, so that they lie on one shard: FINAL is done by each shard for itself, and so is dropping a
// batch that is sent again.
//
// An insert is seen on one shard before it is on the next. What is to be sent in a subscriber's order therefore lies on one
// shard: whoever sees an event, or its delivery, sees those of the same insert that come before it.
var shardedBy = map[string]string{
	"events": subscriber, "deliveries": "subscriber", byPosition: "subscriber", "attempts": "event_id", "quarantine": "id",
	"replays": "id", "commands": "target", "endpoint_states": "endpoint", "swept": "endpoint", "stored_ranges": "spool", "holders": "shard", "audit_log": "who",
	"otel_traces": "TraceId", "otel_traces_trace_id_ts": "TraceId", versions: "version_id",
}

// ShardedBy is what shardedBy is, of the tables that have the rows, by their own names.
func ShardedBy() map[string]string {
	own := map[string]string{}
	for table, column := range shardedBy {
		own[table+ownTable] = column
	}
	return own
}

// clusterSettings go with every query. A setting in the DSN comes before them.
var clusterSettings = clickhouse.Settings{
	// An insert has ended when it is on each shard's disk. Otherwise it would wait in a queue of the server that was asked.
	"distributed_foreground_insert": 1,
	// What a query looks up in another table is found on all shards, and then taken to each: right whatever the tables are
	// sharded by, and for expressions of people too.
	"distributed_product_mode":           "global",
	"parallel_distributed_insert_select": 0,
	// Whichever server is asked, of each shard the first replica that is alive takes what is written, and is read: what was
	// written is found again. One that was away is not read before it has caught up.
	"load_balancing": "in_order", "prefer_localhost_replica": 0, "max_replica_delay_for_distributed_queries": 1,
	// A change of a table is known to all replicas when it ends: the next one may be made by another of them.
	"alter_sync": 2,
	// A shard that is away is an error, and never an answer without its rows.
	"skip_unavailable_shards": 0,
}

// cluster is where statements about tables go: the servers of a cluster, or (the zero name) the one that is asked.
type cluster struct{ name, database string }

// one tells that there is a single server.
func (c cluster) one() bool { return c.name == "" }

// on is the ON CLUSTER clause.
func (c cluster) on() string { return "ON CLUSTER " + quoteName(c.name) }

// table is a table as a statement about all servers must name it.
func (c cluster) table(name string) string { return quoteName(c.database) + "." + quoteName(name) }

// altered is a table of the schema as ALTER and OPTIMIZE name it.
func (c cluster) altered(table string) string {
	if c.one() {
		return table
	}
	return c.table(table+ownTable) + " " + c.on()
}

// whole is the database as BACKUP and RESTORE name it.
func (c cluster) whole() string {
	if c.one() {
		return quoteName(c.database)
	}
	return quoteName(c.database) + " " + c.on()
}

// own is the name of what holds the rows of a table of the schema.
func (c cluster) own(table string) string {
	if c.one() {
		return table
	}
	return table + ownTable
}

// parts is the table of the parts of all shards, each part once.
func (c cluster) parts() string {
	if c.one() {
		return "system.parts"
	}
	return "cluster(" + quoteText(c.name) + ", system.parts)"
}

// versions is goose's table of the migrations that were done.
const versions = "goose_db_version"

// versionsTable is goose's own statement (its dialect for ClickHouse) in the form of our migrations.
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
var ErrOtherLayout = errors.New("the database's tables do not lie as the configuration says")

// checkLayout refuses tables that lie otherwise than configured: those of a single server would be filled there alone while
// everybody takes them for a cluster's; through those of a cluster an insert would only be queued. On a cluster it also
// makes the table of versions, so that goose, which would make one on this server alone, finds it.
func (s *Store) checkLayout(ctx context.Context) error {
	var engine string
	err := s.conn.QueryRow(ctx, "SELECT any(engine) FROM system.tables WHERE database = currentDatabase() AND name = "+quoteText(versions)).Scan(&engine)
	if err != nil {
		return explain("look how the tables lie", err)
	}
	spread := engine == "Distributed"
	switch {
	case s.cluster.one() && spread:
		return fmt.Errorf("%w: %s is a cluster's; set clickhouse.cluster to the cluster's name", ErrOtherLayout, s.Database())
	case !s.cluster.one() && engine != "" && !spread:
		return fmt.Errorf("%w: %s is a single server's; name a new database in the DSN, and bring the data there by backup and restore", ErrOtherLayout, s.Database())
	case s.cluster.one():
		return nil
	case !spread:
		if err := s.makeVersions(ctx); err != nil {
			return explain("make the table of versions", err)
		}
	}
	// What goose begins such a table with, and wants to find.
	return explain("fill the table of versions", s.conn.Exec(ctx, "INSERT INTO "+versions+" (version_id, is_applied) SELECT 0, 1 WHERE (SELECT count() FROM "+versions+") = 0"))
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
