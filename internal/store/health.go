package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Health is the result of a check of ClickHouse. The check changes nothing and leaves nothing behind.
type Health struct {
	Version string // of the server
	User    string
	// Ahead is how far the server's clock is ahead of this machine's.
	Ahead  time.Duration
	Schema Schema
	// Missing are the rights that the program needs and the user lacks, as GRANT names them.
	Missing []string
	// MissingOnCluster are the same among the global rights that a cluster needs.
	MissingOnCluster []string
	// Cluster is the configured cluster; nil for a single server.
	Cluster *ClusterHealth
	// Settings are the user's settings that break a promise of the program, as name=value.
	Settings []string
}

// needed are the rights that migrations and the program need.
var needed = []string{"SELECT", "INSERT", "ALTER", "CREATE TABLE", "CREATE VIEW", "DROP TABLE"}

// hinderingSettings finds a read-only user; disabled deduplication, with which a repeated batch would be stored twice
// (deduplicate_insert, where the server has it, takes precedence over insert_deduplicate); and asynchronous inserts
// that this program may not turn off.
const hinderingSettings = `SELECT name || '=' || value FROM system.settings
	WHERE name = 'readonly' AND value != '0' OR name = 'async_insert' AND value = '1' AND readonly OR name = 'deduplicate_insert' AND value = 'disable'
	OR name = 'insert_deduplicate' AND value = '0' AND NOT (SELECT count() > 0 FROM system.settings WHERE name = 'deduplicate_insert' AND value = 'enable')`

// hinderingOnCluster finds inserts that are only queued, answers without the rows of a shard that is down, and
// subqueries that each shard answers alone.
const hinderingOnCluster = ` OR name = 'distributed_foreground_insert' AND value = '0' OR name = 'skip_unavailable_shards' AND value != '0'
	OR name = 'distributed_product_mode' AND value != 'global'`

// Health checks ClickHouse. It connects without the database, which may not exist yet.
func (s *Store) Health(ctx context.Context) (h Health, err error) {
	conn, err := s.withoutDatabase(0)
	if err != nil {
		return h, explain("check ClickHouse", err)
	}
	defer conn.Close()
	if err := conn.Ping(ctx); err != nil { // connect first: the time of connecting would distort the clocks' difference
		return h, explain("check ClickHouse", err)
	}
	begun, theirs := time.Now(), time.Time{}
	if err := conn.QueryRow(ctx, "SELECT version(), currentUser(), now64(3, 'UTC')").Scan(&h.Version, &h.User,
		&theirs); err != nil {
		return h, explain("check ClickHouse", err)
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
		return h, explain("read the user's rights", err)
	}
	if !s.cluster.one() {
		if err := s.lookAtCluster(ctx, conn, &h); err != nil {
			return h, err
		}
	}
	query := hinderingSettings
	if !s.cluster.one() {
		query += hinderingOnCluster
	}
	h.Settings, err = collect(ctx, conn, "read the user's settings", query, nil, scanText)
	return h, err
}

// lookAtCluster checks the cluster if the user has the rights for it.
func (s *Store) lookAtCluster(ctx context.Context, conn driver.Conn, h *Health) error {
	lacks, err := missing(ctx, conn, "*.*", neededOnCluster)
	if h.MissingOnCluster = lacks; err != nil || len(lacks) > 0 {
		return explain("read the user's rights", err)
	}
	found, err := s.cluster.health(ctx, conn)
	h.Cluster = &found
	return explain("check the cluster "+s.cluster.name, err)
}

// missing returns those of the rights on an object, such as database.*, that the user lacks.
func missing(ctx context.Context, conn driver.Conn, on string, rights []string) (list []string, err error) {
	for _, right := range rights {
		var granted uint8
		err := conn.QueryRow(ctx, "CHECK GRANT "+right+" ON "+on).Scan(&granted)
		switch {
		case hasCode(err, codeSyntax): // servers before 24.10 have no CHECK GRANT
			return nil, nil
		case err != nil:
			return nil, err
		case granted == 0:
			list = append(list, right)
		}
	}
	return list, nil
}

// ClusterHealth is the result of a check of a cluster. The zero value is a cluster that the server does not know.
type ClusterHealth struct {
	Shards, Servers uint64
	// WrittenTwice: an insert goes to each replica separately, although replicas copy from each other
	// (internal_replication is off).
	WrittenTwice bool
	// Macros are those that the tables need and the checked server lacks.
	Macros []string
	// Keeper is the server's error when it asks ClickHouse Keeper or ZooKeeper; nil if that answers.
	Keeper error
	// Silent is the number of servers that do not answer the checked one.
	Silent uint64
	// Differing are servers with other tables than the checked one, or none.
	Differing []string
	// Behind are tables of servers that accept no inserts, or lack rows that other replicas have had for a minute.
	Behind []string
}

// neededOnCluster are global rights, needed beside those on the database.
var neededOnCluster = []string{"CLUSTER", "REMOTE", "CREATE TEMPORARY TABLE"}

// health checks the cluster through a connection to one of its servers.
func (c cluster) health(ctx context.Context, conn driver.Conn) (h ClusterHealth, err error) {
	var alone uint8
	err = conn.QueryRow(ctx,
		"SELECT uniqExact(shard_num), uniqExact((host_name, port)), min(internal_replication) FROM system.clusters "+
			"WHERE cluster = "+quoteText(c.name)).Scan(&h.Shards, &h.Servers, &alone)
	if err != nil || h.Servers == 0 {
		return h, err
	}
	h.WrittenTwice = alone == 0
	var macros []string
	if err := conn.QueryRow(ctx, "SELECT groupArray(macro) FROM system.macros").Scan(&macros); err != nil {
		return h, err
	}
	h.Macros = slices.DeleteFunc([]string{"shard", "replica"}, func(name string) bool {
		return slices.Contains(macros,
			name)
	})
	h.Keeper = conn.Exec(ctx, "SELECT count() FROM system.zookeeper WHERE path = '/'")
	ctx = with(ctx, clickhouse.Settings{"skip_unavailable_shards": 1}) // the servers that are up may show more problems
	var answered uint64
	if err := conn.QueryRow(ctx, "SELECT uniqExact(_shard_num) FROM "+c.all("system.one")).Scan(&answered); err != nil {
		return h, err
	}
	h.Silent = h.Servers - min(answered, h.Servers)
	if h.Differing, err = c.differing(ctx, conn); err != nil {
		return h, err
	}
	h.Behind, err = collect(ctx, conn, "check the replicas",
		fmt.Sprintf("SELECT %s || ' ' || table FROM %s WHERE database = %s AND (is_readonly OR absolute_delay > 60) "+
			"ORDER BY 1",
			server, c.all("system.replicas"), quoteText(c.database)), nil, scanText)
	return h, err
}

// server is the expression for the name of a row's server.
const server = "hostName() || ':' || toString(tcpPort())"

// all returns a system table of all servers.
func (c cluster) all(table string) string {
	return "clusterAllReplicas(" + quoteText(c.name) + ", " + table + ")"
}

// differing returns the servers whose tables differ from those of the connection's server.
func (c cluster) differing(ctx context.Context, conn driver.Conn) ([]string, error) {
	const tables = "SELECT groupArray((name, create_table_query)) FROM (SELECT name, create_table_query FROM " +
		"system.tables WHERE database = %s ORDER BY name)"
	ours := fmt.Sprintf("SELECT sipHash64((%s)) AS here, ", fmt.Sprintf(tables, quoteText(c.database)))
	sql := ours + fmt.Sprintf("%s AS host, sipHash64(arraySort(groupArrayIf((name, create_table_query), database = "+
		"%s))) AS there FROM %s GROUP BY host",
		server, quoteText(c.database), c.all("system.tables"))
	return collect(ctx, conn, "compare the tables of the servers",
		"SELECT host FROM ("+sql+") WHERE here != there ORDER BY host", nil, scanText)
}

func scanText(rows driver.Rows, text *string) error { return rows.Scan(text) }
