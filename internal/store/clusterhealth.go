package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

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
