package enginetest

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ClusterName is the name of the cluster that Cluster starts.
const ClusterName = "two"

// HalfCluster is the name of a cluster on the same engine whose second server is down.
const HalfCluster = "half"

// clusterPort is the port that the engine regards as its own, so it finds both shards within itself. Nothing listens on
// this port or the next one.
const clusterPort = 9

// clusterDatabases is the number of databases of a cluster.
const clusterDatabases = 100

// Cluster starts an engine that is a cluster of two shards. It returns a format for the data source names of its
// databases by number, from 0 on; they do not exist yet. Both shards are the engine itself, because it has no Keeper
// and no port for other servers. Distributed tables and their queries are ClickHouse's own, but a shard is the set of
// rows of a table that a row policy with the number of the shard selects. For these policies, shardedBy has the
// sharding key of each local table.
//
// A proxy removes unsupported parts of statements: ON CLUSTER, and Replicated before the name of an engine.
// Partitions are split by shard too, because each shard deduplicates inserts separately.
func Cluster(t testing.TB, shardedBy map[string]string) (dsns string) {
	t.Helper()
	e := &Engine{t: t, args: []string{"--path", t.TempDir(), "--listen", "127.0.0.1:0", "--unjudged", "--unconfined"}}
	shard := func(port int) string {
		return fmt.Sprintf("<shard><internal_replication>true</internal_replication>"+
			"<replica><host>127.0.0.1</host><port>%d</port></replica></shard>", port)
	}
	here, away := shard(clusterPort), shard(clusterPort+1)
	e.configure("config",
		fmt.Sprintf("<clickhouse><tcp_port>%d</tcp_port><remote_servers><%[2]s>%[4]s%[4]s</%[2]s>"+
			"<%[3]s>%[4]s%[5]s</%[3]s></remote_servers></clickhouse>",
			clusterPort, ClusterName, HalfCluster, here, away))
	e.configure("users", policies(shardedBy))
	e.begin()
	front := httptest.NewServer(&httputil.ReverseProxy{ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: e.child.address})
			adapt(r.Out, shardedBy)
		}})
	t.Cleanup(front.Close)
	// The engine could not reach itself over the network.
	return dsn(strings.TrimPrefix(front.URL, "http://"), "") + "cluster_%d?prefer_localhost_replica=1"
}

// policies creates two shards of the tables of all databases. The server's own tables are on the first shard only.
func policies(shardedBy map[string]string) string {
	var tables, databases strings.Builder
	for table, column := range shardedBy {
		fmt.Fprintf(&tables, "<%[1]s><filter>shardNum() = 0 OR %[2]s + 1 = shardNum()</filter></%[1]s>", table,
			shardOf(column))
	}
	for n := range clusterDatabases {
		fmt.Fprintf(&databases, "<cluster_%[1]d>%[2]s</cluster_%[1]d>", n, tables.String())
	}
	return `<clickhouse><users><default><grants replace="replace"><query>GRANT ALL ON *.*</query></grants><databases>` +
		databases.String() +
		`<system><parts><filter>shardNum() != 2</filter></parts></system></databases></default></users></clickhouse>`
}

// configure writes a file into the folder of the engine's configuration.
func (e *Engine) configure(of, text string) {
	e.t.Helper()
	dir := filepath.Join(e.args[1], "hooktape-"+of+".d")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "engine.xml"), []byte(text), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// shardOf returns the SQL expression for the shard of a row.
func shardOf(key string) string { return "cityHash64(" + key + ") % 2" }

var (
	onCluster   = regexp.MustCompile(" ON CLUSTER `" + ClusterName + "`")
	replicated  = regexp.MustCompile(`Replicated(\w*MergeTree\()'[^']*', '\{replica\}'(?:, )?`)
	ownTable    = regexp.MustCompile("^CREATE TABLE IF NOT EXISTS `\\w+`\\.`(\\w+)`")
	partitionBy = regexp.MustCompile(`\nPARTITION BY (.*)\n`)
	oneMonth    = regexp.MustCompile(`PARTITION \d{6} FINAL`)
	itsMonth    = regexp.MustCompile(`partition = '(\d{6})'`)
)

// adapt removes the unsupported parts of a statement.
func adapt(r *http.Request, shardedBy map[string]string) {
	if r.URL.Query().Has("query") || r.Body == nil { // the data of an insert
		return
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return // the engine reports the incomplete statement
	}
	statement := replicated.ReplaceAllString(onCluster.ReplaceAllString(string(text), ""), "$1")
	statement = strings.Replace(statement,
		"SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, replicated_dedup",
		"SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000, "+
			"replicated_dedup", 1)
	if m := ownTable.FindStringSubmatch(statement); m != nil && shardedBy[m[1]] != "" {
		shard := shardOf(shardedBy[m[1]])
		if partitionBy.MatchString(statement) {
			statement = partitionBy.ReplaceAllString(statement, "\nPARTITION BY ($1, "+shard+")\n")
		} else {
			statement = strings.Replace(statement, "\nORDER BY", "\nPARTITION BY "+shard+"\nORDER BY", 1)
		}
	}
	statement = oneMonth.ReplaceAllString(statement, "FINAL")
	statement = itsMonth.ReplaceAllString(statement, "startsWith(partition, '($1,')")
	r.Body = io.NopCloser(bytes.NewReader([]byte(statement)))
	r.ContentLength = int64(len(statement))
}
