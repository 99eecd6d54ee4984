package enginetest_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"go.uber.org/goleak"

	"hooktape/internal/testutil/enginetest"
)

// TestMain closes idle connections: clickhouse-go leaks one that it closes right after an error response.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// open connects to a new database. change modifies the options.
func open(t *testing.T, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	return openDSN(t, enginetest.DSN(t), change...)
}

func openDSN(t *testing.T, dsn string, change ...func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	options := parse(t, dsn)
	for _, f := range change {
		f(options)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func openSQL(t *testing.T) *sql.DB {
	t.Helper()
	db := clickhouse.OpenDB(parse(t, enginetest.DSN(t)))
	t.Cleanup(func() { db.Close() })
	return db
}

func parse(t *testing.T, dsn string) *clickhouse.Options {
	t.Helper()
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return options
}

func mustExec(t *testing.T, conn driver.Conn, statement string, args ...any) {
	t.Helper()
	if err := conn.Exec(context.Background(), statement, args...); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// one returns the only value of a result.
func one[T any](t *testing.T, conn driver.Conn, query string, args ...any) T {
	t.Helper()
	var value T
	if err := conn.QueryRow(context.Background(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

func wantCode(t *testing.T, err error, code int32) {
	t.Helper()
	var exception *clickhouse.Exception
	if !errors.As(err, &exception) {
		t.Fatalf("got error %v, want a ClickHouse exception with code %d", err, code)
	}
	if exception.Code != code {
		t.Errorf("got exception %d (%s), want code %d", exception.Code, exception.Message, code)
	}
}

// overHTTP returns the address for requests that no client library makes. It skips the test if the server has no HTTP
// interface.
func overHTTP(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(enginetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		t.Skip("the server has no HTTP interface")
	}
	q := u.Query()
	q.Set("database", u.Path[1:])
	u.Path, u.RawQuery = "/", q.Encode()
	return u
}
