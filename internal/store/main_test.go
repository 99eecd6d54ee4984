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

// TestMain lets go of idle connections: clickhouse-go forgets one that it closes right after an error response.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

var background = context.Background()

// db is a store and, beside it, a connection of the test's own to the same database.
type db struct {
	*store.Store
	dsn  string
	conn driver.Conn
	// cluster tells that each table is two.
	cluster bool
}

func open(t testing.TB, dsn string) db {
	t.Helper()
	s, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return beside(t, s, dsn)
}

// beside gives a store its connection of the test's own.
func beside(t testing.TB, s *store.Store, dsn string) db {
	t.Helper()
	t.Cleanup(func() { s.Close() })
	return db{Store: s, dsn: dsn, conn: enginetest.Connect(t, dsn)}
}

// newDB is a fresh database with all tables in it.
func newDB(t testing.TB) db {
	t.Helper()
	s, dsn := storetest.Open(t)
	if enginetest.IsOnCluster() {
		return besideCluster(t, s, dsn)
	}
	return beside(t, s, dsn)
}

func (d db) exec(t *testing.T, statement string) {
	t.Helper()
	if err := d.conn.Exec(background, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// text is the only value of the only row, as text.
func (d db) text(t *testing.T, query string, args ...any) (value string) {
	t.Helper()
	if err := d.conn.QueryRow(background, query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// dawn is when the events of these tests begin.
var dawn = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// idAt is a UUIDv7 of a time; n tells ids of the same time apart.
func idAt(at time.Time, n int) uuid.UUID {
	id := uuid.UUID{6: 0x70, 8: 0x80}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)))
	}
	id[14], id[15] = byte(n>>8), byte(n)
	return id
}

// eventAt is an accepted event that arrived at a time.
func eventAt(at time.Time, n int) event.Event {
	return event.Event{
		Received: event.Received{ID: idAt(at, n), ReceivedAt: at, Source: "demo", Verdict: event.Accepted, Method: "POST",
			Path: "/hooks/demo/***", RemoteIP: netip.MustParseAddr("192.0.2.1"), Body: fmt.Appendf(nil, "%d", n), BodySHA256: [32]byte{byte(n)}},
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

// numbers are what eventAt was told to number the events with, in the order of the list.
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
