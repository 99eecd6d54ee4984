package store

import (
	"fmt"
	"regexp"
	"strings"

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

var (
	createTable = regexp.MustCompile(`(?s)^CREATE TABLE IF NOT EXISTS (\w+)(\n\(.*\n\)\n)ENGINE = (Replacing|Aggregating)?MergeTree(?:\((\w+)\))?\n(.*)$`)
	createMV    = regexp.MustCompile(`(?s)^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+) AS\n([^;]*\n)FROM (\w+)\n(.*)$`)
	createView  = regexp.MustCompile(`(?s)^CREATE OR REPLACE VIEW (\w+) AS\n(.*)$`)
	alterTable  = regexp.MustCompile(`(?s)^ALTER TABLE (\w+)(\s.*)$`)
	alteration  = regexp.MustCompile(`(?m)(?:^\s*|,\s+)((?:ADD|ALTER|ATTACH|CLEAR|COMMENT|DELETE|DETACH|DROP|MATERIALIZE|MODIFY|MOVE|REMOVE|RENAME|REPLACE|RESET|UPDATE) [A-Z]+)\b`)
)

// alterations are the changes of a table that migrations make, and whether the Distributed table must be changed as well.
var alterations = map[string]bool{"ADD COLUMN": true, "MODIFY COLUMN": true, "MATERIALIZE COLUMN": false}

// spread turns a statement of a migration into those that do the same on every server of the cluster. A form that it does
// not know is an error: whoever writes such a migration teaches it here.
func (c cluster) spread(statement string) ([]string, error) {
	if m := createTable.FindStringSubmatch(statement); m != nil {
		return c.spreadTable(m[1], m[2], m[3], m[4], m[5])
	}
	if m := createMV.FindStringSubmatch(statement); m != nil {
		// It sees what is inserted into the server's own table, and adds to another one beside it.
		return []string{fmt.Sprintf("CREATE MATERIALIZED VIEW IF NOT EXISTS %s %s TO %s AS\n%sFROM %s\n%s",
			c.table(m[1]), c.on(), c.table(m[2]+ownTable), m[3], c.table(m[4]+ownTable), m[5])}, nil
	}
	if m := createView.FindStringSubmatch(statement); m != nil {
		return []string{fmt.Sprintf("CREATE OR REPLACE VIEW %s %s AS\n%s", c.table(m[1]), c.on(), m[2])}, nil
	}
	if m := alterTable.FindStringSubmatch(statement); m != nil {
		return c.spreadAlter(m[1], m[2])
	}
	return nil, fmt.Errorf("there is no way known to do this on a cluster: %s", head(statement, 60))
}

// spreadTable names the place in Keeper, and does not leave it to {uuid}: so a server that is added later joins its shard
// by the very text that SHOW CREATE TABLE has.
func (c cluster) spreadTable(name, columns, replacing, version, rest string) ([]string, error) {
	key, ok := shardedBy[name]
	if !ok {
		return nil, fmt.Errorf("it is not known what the table %s is to be sharded by", name)
	}
	arguments := quoteText("/clickhouse/tables/{shard}/"+c.database+"/"+name) + ", '{replica}'"
	if version != "" {
		arguments += ", " + version
	}
	// Tokens of inserts are remembered as long as by a single server: by their number. The default is an hour.
	rest = strings.ReplaceAll(rest, "non_replicated_deduplication_window = 10000", "replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800")
	return []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s %s%sENGINE = Replicated%sMergeTree(%s)\n%s", c.table(name+ownTable), c.on(), columns, replacing, arguments, rest),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s %s AS %s\nENGINE = Distributed(%s, %s, %s, cityHash64(%s))",
			c.table(name), c.on(), c.table(name+ownTable), quoteText(c.name), quoteText(c.database), quoteText(name+ownTable), key),
	}, nil
}

// spreadAlter takes changes of one kind: all of columns, or none.
func (c cluster) spreadAlter(name, changes string) ([]string, error) {
	found := alteration.FindAllStringSubmatch(changes, -1)
	if len(found) == 0 {
		return nil, fmt.Errorf("there is no way known to do this on a cluster: ALTER TABLE %s%s", name, head(changes, 40))
	}
	columns := alterations[found[0][1]]
	for _, m := range found {
		if both, known := alterations[m[1]]; !known || both != columns {
			return nil, fmt.Errorf("there is no way known to do this on a cluster, or not in one statement: ALTER TABLE %s %s", name, m[1])
		}
	}
	statements := []string{"ALTER TABLE " + c.altered(name) + changes}
	if columns {
		statements = append(statements, "ALTER TABLE "+c.table(name)+" "+c.on()+changes)
	}
	return statements, nil
}
