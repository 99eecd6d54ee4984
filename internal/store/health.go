package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Health is what a look at ClickHouse tells. Nothing is changed by it, and nothing left behind.
type Health struct {
	Version string // of the server
	User    string
	// Ahead is how far the server's clock is before this machine's.
	Ahead  time.Duration
	Schema Schema
	// Missing are rights that the program needs and the user has not, as GRANT names them.
	Missing []string
	// MissingOnCluster are the same of rights on everything, which a cluster takes.
	MissingOnCluster []string
	// Cluster is that of the configuration; nil for a server that stands alone.
	Cluster *ClusterHealth
	// Settings are those of the user that stand against the program's promises, as name=value.
	Settings []string
}

// needed are the rights that migrations and the program's work take.
var needed = []string{"SELECT", "INSERT", "ALTER", "CREATE TABLE", "CREATE VIEW", "DROP TABLE"}

// hinderingSettings: a user that only reads; deduplication switched off, without which a batch sent again is stored again
// (deduplicate_insert, where the server has it, comes before insert_deduplicate); asynchronous inserts that this program may
// not switch off.
const hinderingSettings = `SELECT name || '=' || value AS Setting FROM system.settings
	WHERE name = 'readonly' AND value != '0' OR name = 'async_insert' AND value = '1' AND readonly OR name = 'deduplicate_insert' AND value = 'disable'
	OR name = 'insert_deduplicate' AND value = '0' AND NOT (SELECT count() > 0 FROM system.settings WHERE name = 'deduplicate_insert' AND value = 'enable')`

// hinderingOnCluster: inserts that are only queued; answers without the rows of a shard that is away, or that look things up on each shard alone.
const hinderingOnCluster = ` OR name = 'distributed_foreground_insert' AND value = '0' OR name = 'skip_unavailable_shards' AND value != '0'
	OR name = 'distributed_product_mode' AND value != 'global'`

// Health looks. It speaks to the server without naming the database, which may not be there yet.
func (s *Store) Health(ctx context.Context) (h Health, err error) {
	conn, err := s.withoutDatabase(0)
	if err != nil {
		return h, explain("look at ClickHouse", err)
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err != nil { // so that connecting does not count as a clock's difference
		return h, explain("look at ClickHouse", err)
	}
	begun, theirs := time.Now(), time.Time{}
	if err := conn.QueryRow(ctx, "SELECT version(), currentUser(), now64(3, 'UTC')").Scan(&h.Version, &h.User, &theirs); err != nil {
		return h, explain("look at ClickHouse", err)
	}
	h.Ahead = theirs.Sub(begun.Add(time.Since(begun) / 2))
	database := quoteName(s.Database())
	if h.Schema, err = schemaOf(ctx, conn, database); err != nil {
		return h, explain("read the schema's version", err)
	}
	rights := needed
	if h.Schema.At == 0 {
		rights = append(rights, "CREATE DATABASE")
	}
	if h.Missing, err = missing(ctx, conn, database+".*", rights); err != nil {
		return h, explain("ask for rights", err)
	}
	if !s.cluster.one() {
		if err := s.lookAtCluster(ctx, conn, &h); err != nil {
			return h, err
		}
	}
	var rows []struct{ Setting string }
	hindering := hinderingSettings
	if !s.cluster.one() {
		hindering += hinderingOnCluster
	}
	err = conn.Select(ctx, &rows, hindering)
	for _, row := range rows {
		h.Settings = append(h.Settings, row.Setting)
	}
	return h, explain("read the user's settings", err)
}

// lookAtCluster does so if the user may.
func (s *Store) lookAtCluster(ctx context.Context, conn driver.Conn, h *Health) error {
	lacks, err := missing(ctx, conn, "*.*", neededOnCluster)
	if h.MissingOnCluster = lacks; err != nil || len(lacks) > 0 {
		return explain("ask for rights", err)
	}
	found, err := s.cluster.health(ctx, conn)
	h.Cluster = &found
	return explain("look at the cluster "+s.cluster.name, err)
}

// missing asks for rights on such as database.*.
func missing(ctx context.Context, conn driver.Conn, on string, rights []string) (list []string, err error) {
	for _, right := range rights {
		var granted uint8
		err := conn.QueryRow(ctx, "CHECK GRANT "+right+" ON "+on).Scan(&granted)
		switch {
		case hasCode(err, codeSyntax): // a server from before 24.10, which cannot be asked
			return nil, nil
		case err != nil:
			return nil, err
		case granted == 0:
			list = append(list, right)
		}
	}
	return list, nil
}

// ClusterHealth is what a look at a cluster tells. The zero value is a cluster that the server does not know.
type ClusterHealth struct {
	Shards, Servers uint64
	// WrittenTwice: an insert goes to each replica by itself, beside what replicas give each other (internal_replication is off).
	WrittenTwice bool
	// Macros are those that tables need and the server that was asked has not.
	Macros []string
	// Keeper is what stands between the server and ClickHouse Keeper or ZooKeeper; nil when it answers.
	Keeper error
	// Silent is how many servers do not answer the one that was asked.
	Silent uint64
	// Differing are servers that have other tables than the one that was asked, or none.
	Differing []string
	// Behind are tables of servers that take no inserts, or lack what other replicas have had for a minute.
	Behind []string
}

// neededOnCluster are rights on everything, beside those on the database.
var neededOnCluster = []string{"CLUSTER", "REMOTE", "CREATE TEMPORARY TABLE"}

// health looks at the cluster through a connection to one of its servers.
func (c cluster) health(ctx context.Context, conn driver.Conn) (h ClusterHealth, err error) {
	var alone uint8
	err = conn.QueryRow(ctx, "SELECT uniqExact(shard_num), uniqExact((host_name, port)), min(internal_replication) FROM system.clusters WHERE cluster = "+quoteText(c.name)).Scan(&h.Shards, &h.Servers, &alone)
	if err != nil || h.Servers == 0 {
		return h, err
	}
	h.WrittenTwice = alone == 0
	var macros []string
	if err := conn.QueryRow(ctx, "SELECT groupArray(macro) FROM system.macros").Scan(&macros); err != nil {
		return h, err
	}
	h.Macros = slices.DeleteFunc([]string{"shard", "replica"}, func(name string) bool { return slices.Contains(macros, name) })
	h.Keeper = conn.Exec(ctx, "SELECT count() FROM system.zookeeper WHERE path = '/'")
	ctx = with(ctx, clickhouse.Settings{"skip_unavailable_shards": 1}) // of those that answer there may be more to tell
	var answered uint64
	if err := conn.QueryRow(ctx, "SELECT uniqExact(_shard_num) FROM "+c.all("system.one")).Scan(&answered); err != nil {
		return h, err
	}
	h.Silent = h.Servers - min(answered, h.Servers)
	if h.Differing, err = c.differing(ctx, conn); err != nil {
		return h, err
	}
	h.Behind, err = collect(ctx, conn, "look at the replicas", fmt.Sprintf("SELECT %s || ' ' || table FROM %s WHERE database = %s AND (is_readonly OR absolute_delay > 60) ORDER BY 1",
		server, c.all("system.replicas"), quoteText(c.database)), nil, scanText)
	return h, err
}

// server is the expression for the name of the server that has a row.
const server = "hostName() || ':' || toString(tcpPort())"

// all is a system table of all servers.
func (c cluster) all(table string) string {
	return "clusterAllReplicas(" + quoteText(c.name) + ", " + table + ")"
}

// differing are the servers whose tables are not those of the one that is asked.
func (c cluster) differing(ctx context.Context, conn driver.Conn) ([]string, error) {
	const tables = "SELECT groupArray((name, create_table_query)) FROM (SELECT name, create_table_query FROM system.tables WHERE database = %s ORDER BY name)"
	ours := fmt.Sprintf("SELECT sipHash64((%s)) AS here, ", fmt.Sprintf(tables, quoteText(c.database)))
	sql := ours + fmt.Sprintf("%s AS host, sipHash64(arraySort(groupArrayIf((name, create_table_query), database = %s))) AS there FROM %s GROUP BY host",
		server, quoteText(c.database), c.all("system.tables"))
	return collect(ctx, conn, "compare the tables of the servers", "SELECT host FROM ("+sql+") WHERE here != there ORDER BY host", nil, scanText)
}

func scanText(rows driver.Rows, text *string) error { return rows.Scan(text) }
