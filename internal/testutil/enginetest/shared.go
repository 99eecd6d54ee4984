package enginetest

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// kept references the shared engine: if its standard input were garbage collected, the engine would stop.
var kept *child

// shared is the engine that all tests of a binary share, or the real server. Nothing stops the engine explicitly: when
// this process ends, its standard input ends, and it removes its data and exits.
var shared = sync.OnceValues(func() (server string, err error) {
	if dsn := os.Getenv("HOOKTAPE_TEST_CLICKHOUSE_DSN"); dsn != "" {
		return dsn, nil
	}
	if kept, err = startChild([]string{"--temporary", "--listen", "127.0.0.1:0"}); err != nil {
		return "", err
	}
	return dsn(kept.address, "default"), nil
})

// DSN returns the data source name of a database that is created for the test and dropped after it.
func DSN(t testing.TB) string {
	t.Helper()
	server, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	database := "test_" + strings.ToLower(rand.Text())
	mustExec(t, server, "CREATE DATABASE "+database)
	t.Cleanup(func() { mustExec(t, server, "DROP DATABASE IF EXISTS "+database) })
	u, err := url.Parse(server)
	if err != nil {
		t.Fatalf("HOOKTAPE_TEST_CLICKHOUSE_DSN: %v", err)
	}
	u.Path = "/" + database
	return u.String()
}

// Connect returns a new connection to a database, which is closed when the test ends.
func Connect(t testing.TB, dsn string) driver.Conn {
	t.Helper()
	conn, err := connect(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func connect(dsn string) (driver.Conn, error) {
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return clickhouse.Open(options)
}

func mustExec(t testing.TB, dsn, statement string) {
	t.Helper()
	if err := execute(dsn, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func execute(dsn, statement string) error {
	conn, err := connect(dsn)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Exec(context.Background(), statement)
}
