// Package storetest provides databases with all of hooktape's tables to tests.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// DSN returns the data source name of a database that is created for the test and dropped after it, with all tables and
// no rows. The migrations run once per process: DSN copies the tables that they created, which takes a third of the
// time.
func DSN(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

// Open opens a database like DSN's and also returns its data source name. In tests that enginetest.OnCluster runs, the
// database is on the cluster.
func Open(t testing.TB) (s *store.Store, dsn string) {
	t.Helper()
	cluster := ""
	if enginetest.IsOnCluster() {
		cluster = enginetest.ClusterName
	}
	dsn = create(t, cluster)
	return open(t, dsn, cluster), dsn
}

// Migrate creates the tables in a database of a test's own engine.
func Migrate(t testing.TB, dsn string) {
	t.Helper()
	migrate(t, open(t, dsn, ""))
}

func create(t testing.TB, cluster string) (dsn string) {
	t.Helper()
	statements := template(t, cluster)
	dsn = empty(t, cluster)
	conn := enginetest.Connect(t, dsn)
	for _, statement := range statements {
		if err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%.60s: %v", statement, err)
		}
	}
	return dsn
}

var (
	mutex     sync.Mutex
	templates = map[string][]string{} // by the name of the cluster
)

// template returns the statements that create the tables which migrations have created.
func template(t testing.TB, cluster string) (statements []string) {
	t.Helper()
	mutex.Lock()
	defer mutex.Unlock()
	if templates[cluster] != nil {
		return templates[cluster]
	}
	dsn := empty(t, cluster)
	migrate(t, open(t, dsn, cluster))
	var database string
	var tables []string
	var versions []int64
	const query = "SELECT currentDatabase(), (SELECT groupArray(version_id) FROM goose_db_version), " +
		"groupArray(create_table_query) " +
		"FROM (SELECT create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY engine LIKE " +
		"'%View', name)"
	if err := enginetest.Connect(t, dsn).QueryRow(context.Background(), query).Scan(&database, &versions,
		&tables); err != nil {
		t.Fatal(err)
	}
	// Without the name of the database the statements are the same for every test, so the engine checks each of them
	// once.
	nameless := strings.NewReplacer(database+".", "", "'"+database+"'", "currentDatabase()")
	for _, table := range tables {
		statements = append(statements, nameless.Replace(table))
	}
	list := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(versions)), ", "), "[]")
	statements = append(statements, "INSERT INTO goose_db_version (version_id, is_applied) SELECT arrayJoin(["+list+
		"]), 1")
	templates[cluster] = statements
	return statements
}

// empty creates a database without tables.
func empty(t testing.TB, cluster string) (dsn string) {
	t.Helper()
	if cluster == "" {
		return enginetest.DSN(t)
	}
	dsn = enginetest.ClusterDSN()
	at, name, _ := strings.Cut(dsn, "/cluster_")
	name, settings, _ := strings.Cut(name, "?")
	if err := enginetest.Connect(t, at+"/?"+settings).Exec(context.Background(),
		"CREATE DATABASE cluster_"+name); err != nil {
		t.Fatal(err)
	}
	return dsn + "&distributed_foreground_insert=1"
}

func open(t testing.TB, dsn, cluster string) *store.Store {
	t.Helper()
	s, err := store.OpenCluster(dsn, cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func migrate(t testing.TB, s *store.Store) {
	t.Helper()
	if _, err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
}
