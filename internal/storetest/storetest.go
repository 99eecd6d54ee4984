// Package storetest gives tests databases that have all of hooktape's tables.
package storetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/enginetest"
	"hooktape/store"
)

// DSN returns the data source name of a database that was created for the test and is dropped after it. It has all tables and
// no rows. The migrations run once in a process: DSN copies the tables that they created, which takes a third of the time.
func DSN(t testing.TB) string {
	t.Helper()
	statements := template(t)
	dsn := enginetest.DSN(t)
	conn := connect(t, dsn)
	defer conn.Close()
	for _, statement := range statements {
		if err := conn.Exec(context.Background(), statement); err != nil {
			t.Fatalf("%.60s: %v", statement, err)
		}
	}
	return dsn
}

// Migrate creates the tables in a database of an engine of the test's own.
func Migrate(t testing.TB, dsn string) {
	t.Helper()
	s, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
}

var (
	mutex  sync.Mutex
	copied []string
)

// template returns the statements that create the tables which migrations have created.
func template(t testing.TB) []string {
	t.Helper()
	mutex.Lock()
	defer mutex.Unlock()
	if copied != nil {
		return copied
	}
	dsn := enginetest.DSN(t)
	Migrate(t, dsn)
	conn := connect(t, dsn)
	defer conn.Close()
	var database string
	var tables []string
	var versions []int64
	const query = "SELECT currentDatabase(), (SELECT groupArray(version_id) FROM goose_db_version), groupArray(create_table_query) " +
		"FROM (SELECT create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY engine LIKE '%View', name)"
	if err := conn.QueryRow(context.Background(), query).Scan(&database, &versions, &tables); err != nil {
		t.Fatal(err)
	}
	for _, statement := range tables {
		// Without the name of the database the statements are the same for every test, and the engine judges each once.
		copied = append(copied, strings.ReplaceAll(statement, database+".", ""))
	}
	list := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(versions)), ", "), "[]")
	copied = append(copied, "INSERT INTO goose_db_version (version_id, is_applied) SELECT arrayJoin(["+list+"]), 1")
	return copied
}

func connect(t testing.TB, dsn string) driver.Conn {
	t.Helper()
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
