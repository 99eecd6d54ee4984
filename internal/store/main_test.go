package store_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// TestMain closes idle connections: clickhouse-go leaks one that it closes right after an error response.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

var background = context.Background()

// db is a store with a second connection to its database for the tests.
type db struct {
	*store.Store
	dsn  string
	conn driver.Conn
	// cluster reports whether each table is a local and a distributed one.
	cluster bool
}

func open(t testing.TB, dsn string) db {
	t.Helper()
	s, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return withConn(t, s, dsn)
}

// withConn gives a store its second connection.
func withConn(t testing.TB, s *store.Store, dsn string) db {
	t.Helper()
	t.Cleanup(func() { s.Close() })
	return db{Store: s, dsn: dsn, conn: enginetest.Connect(t, dsn)}
}

// newDB returns a new database with all tables.
func newDB(t testing.TB) db {
	t.Helper()
	s, dsn := storetest.Open(t)
	if enginetest.IsOnCluster() {
		return besideCluster(t, s, dsn)
	}
	return withConn(t, s, dsn)
}

func (d db) exec(t *testing.T, statement string) {
	t.Helper()
	if err := d.conn.Exec(background, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// text returns the only value of a result as text.
func (d db) text(t *testing.T, query string, args ...any) (value string) {
	t.Helper()
	if err := d.conn.QueryRow(background, query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// dawn is the time of the tests' first event.
var dawn = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// idAt returns a UUIDv7 of a time; n makes ids of the same time different.
func idAt(at time.Time, n int) uuid.UUID {
	id := uuid.UUID{6: 0x70, 8: 0x80}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[14], id[15] = byte(n>>8), byte(n)
	return id
}

// eventAt returns an accepted event that arrived at a time.
func eventAt(at time.Time, n int) event.Event {
	return event.Event{
		Received: event.Received{ID: idAt(at, n), ReceivedAt: at, Source: "demo", Verdict: event.Accepted,
			Method: "POST", Path: "/hooks/demo/***", RemoteIP: netip.MustParseAddr("192.0.2.1"), Body: fmt.Appendf(nil,
				"%d", n), BodySHA256: [32]byte{byte(n)}},
		Decoded: event.Decoded{Kind: event.KindFlow},
	}
}

func (d db) insert(t *testing.T, events ...event.Event) {
	t.Helper()
	if err := d.InsertEvents(background, "", events); err != nil {
		t.Fatal(err)
	}
}

func (d db) list(t *testing.T, sel event.Selection) []event.Event {
	t.Helper()
	events, err := d.ListEvents(background, sel, store.Page{Limit: 10000})
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// numbers returns the numbers that eventAt gave to events, in the order of the list.
func numbers(events []event.Event) (list []int) {
	for _, e := range events {
		list = append(list, int(e.ID[14])<<8|int(e.ID[15]))
	}
	return list
}

func idsOf(events []event.Event) (ids []uuid.UUID) {
	for _, e := range events {
		ids = append(ids, e.ID)
	}
	return ids
}

func ptr[T any](v T) *T { return &v }

func sameBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func named(name string, value any) driver.NamedValue { return clickhouse.Named(name, value) }
