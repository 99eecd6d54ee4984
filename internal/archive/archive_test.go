package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"go.uber.org/goleak"

	"hooktape/internal/archive"
	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

var background = context.Background()

func quiet(string, uint64, uint64) {}

type db struct {
	*store.Store
	conn driver.Conn
}

// newDB returns an empty database without tables.
func newDB(t *testing.T) db { return open(t, enginetest.DSN(t)) }

// newTables returns a database with all tables.
func newTables(t *testing.T) db { return open(t, storetest.DSN(t)) }

func open(t *testing.T, dsn string) db {
	t.Helper()
	s, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return db{s, enginetest.Connect(t, dsn)}
}

func (d db) text(t *testing.T, query string) (value string) {
	t.Helper()
	if err := d.conn.QueryRow(background, query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// content returns the number of a table's rows and the sum of their hashes.
func (d db) content(t *testing.T, table string) string {
	t.Helper()
	if slices.Contains(store.Versioned, table) {
		table += " FINAL" // the engine decides when it removes old versions
	}
	row := "*"
	if table == "events" {
		row = "* REPLACE (mapSort(fields) AS fields)" // the program writes maps in random order
	}
	return d.text(t, "SELECT toString((count(), sum(sipHash64(formatRow('RowBinary', "+row+"))))) FROM "+table)
}

// differences reports the columns in which two databases' tables differ.
func (d db) differences(t *testing.T, other db, table string) {
	t.Helper()
	columns, err := d.Columns(background, table)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		query := "SELECT toString(groupArray(`" + c.Name + "`)) FROM (SELECT * FROM " + table + " ORDER BY ALL)"
		if want, got := d.text(t, query), other.text(t, query); got != want {
			t.Errorf("%s: got %.300q, want %.300q", c.Name, got, want)
		}
	}
}

// filled returns a database with rows in every table, including unusual values.
func filled(t *testing.T) db {
	t.Helper()
	d := newTables(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	var events []event.Event
	for i, body := range [][]byte{every, nil, []byte("{\"a\":\"Ё\"}"), bytes.Repeat(every, 5000)} {
		e := event.Event{Received: event.Received{ID: event.NewID(at),
			ReceivedAt: at.Add(time.Duration(i) * time.Microsecond), Source: "demo", Verdict: event.Accepted,
			Method: "POST", Path: "/hooks/demo/***", Query: "a=\xff", RemoteIP: netip.MustParseAddr("2001:db8::1"),
			Body: body, BodySHA256: [32]byte{1, byte(i)}}}
		e.Headers = []event.Header{{Name: "X-A", Value: "\xff\x00"}, {Name: "X-A", Value: ""}}
		count := uint64(1<<63 + uint64(i))
		before := time.Date(1969, 12, 31, 23, 59, 59, 5e6, time.UTC)
		if i == 0 {
			e.Headers, e.Fields = nil, map[string]string{}
		} else {
			e.ConversationsCount, e.CreatedAt, e.EventAt = &count, &before, &at
			e.Fields = map[string]string{"": "", "Доп данные": "\xff'\\", "x": strings.Repeat("y", 100)}
		}
		if i == 2 {
			e.Verdict, e.BodyText = event.BadToken, "sought"
		}
		e.Spool, e.SpoolNumber = "spool", uint64(i+1)
		events = append(events, e)
	}
	must(d.InsertEvents(background, "", events))
	must(d.InsertQuarantine(background, store.Quarantined{ID: events[0].ID, ReceivedAt: at, Source: "demo",
		Error: "x", Record: every}))
	key := event.DeliveryKey{Endpoint: "crm", EventID: events[0].ID}
	for i, state := range []event.DeliveryState{event.Pending, event.Retrying, event.Delivered} {
		must(d.RecordOutcomes(background, "", []event.Delivery{{DeliveryKey: key, EventReceivedAt: at, State: state,
			Attempts: uint32(i), NextAt: at, UpdatedAt: at, CreatedAt: at}},
			[]event.Attempt{{ID: key.AttemptID(uint32(i)), EventID: key.EventID, Endpoint: "crm", URL: "http://crm",
				StartedAt: at, Duration: 1234567, Outcome: event.OutcomeStatus,
				ResponseHeaders: []event.Header{{Name: "A", Value: "b"}}, ResponseBody: every,
				Kind: event.AttemptForward, Fallback: event.FallbackRefused, MissingKeys: []string{"price",
					"paid"}, ResponseBytes: 1 << 40, Overhead: 1234567, Source: "demo"}}))
	}
	must(d.SaveReplay(background, event.Replay{ID: uuid.New(), CreatedAt: at, UpdatedAt: at,
		State: event.ReplayCompleted, Selection: event.Selection{Text: "ё"},
		ReplayOptions: event.ReplayOptions{Rate: 0.1, Headers: []event.Header{{Name: "H", Value: "v"}}},
		Counts:        map[event.DeliveryState]uint64{event.Delivered: 1}}))
	must(d.AddCommand(background, event.Command{Target: "crm", Action: event.ActionRate, Rate: 2.5}))
	must(d.SaveEndpointState(background, event.EndpointState{Endpoint: "crm", UpdatedAt: at,
		Subscription: "{}", StartedAfter: map[string]uint64{"spool": 1}, Positions: map[string]uint64{"spool": 4}}))
	must(d.ReleaseLease(background, store.DeliveryLease, store.LeaseClaim{ID: "a", Host: "b"}))
	must(d.SaveView(background, store.SavedView{Name: "Unpaid", Query: "step=cart", By: "ich"}))
	must(d.Audit(background, store.AuditEntry{At: at, Who: "ich", Detail: "{}"}))
	must(d.conn.Exec(background,
		"INSERT INTO stored_ranges (spool, bucket, last, received_from, received_until) VALUES ('a', 1, 65537, "+
			"'2026-01-01 00:00:00.000001', '2026-01-01 00:00:00.000002')"))
	must(d.conn.Exec(background,
		"INSERT INTO swept (endpoint, event_received_at) VALUES ('crm', '2026-01-01 00:00:00.000001')"))
	must(d.conn.Exec(background, `INSERT INTO otel_traces (Timestamp, TraceId, SpanAttributes, Duration, Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, Links.SpanId, Links.TraceState, Links.Attributes)
		VALUES ('2026-03-01 12:00:00.123456789', 'abc', {'a': 'b'}, 18446744073709551615, ['2026-03-01 12:00:00.000000001', '1970-01-01 00:00:00'], ['x', ''], [{'k': 'v'}, {}], ['l'], [''], [''], [{}])`))
	return d
}

// TestRoundTrip verifies that a restored database has every byte of every table, and the newest version of each row.
func TestRoundTrip(t *testing.T) {
	from, to := filled(t), newDB(t)
	dir := filepath.Join(t.TempDir(), "backup")
	made, err := archive.Backup(background, from.Store, dir, "v1", quiet)
	if err != nil {
		t.Fatal(err)
	}
	m, err := archive.Check(dir)
	if err != nil || m.Rows() != made.Rows() || m.Version != "v1" || len(m.Tables) != len(store.Tables) {
		t.Fatalf("restored the manifest %+v, %v", m, err)
	}
	if err := archive.Restore(background, to.Store, dir, m, quiet); err != nil {
		t.Fatal(err)
	}
	for _, table := range append([]string{"otel_traces_trace_id_ts"}, store.Tables...) {
		if got, want := to.content(t, table), from.content(t, table); got != want || strings.HasPrefix(want, "(0,") {
			t.Errorf("%s: restored %s, want %s", table, got, want)
			from.differences(t, to, table)
		}
	}
	if got := to.text(t, "SELECT toString(countIf(position(search_body, 'sought') > 0)) FROM events"); got != "1" {
		t.Errorf("a search finds %s rejected events after the restore, want 1", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.partial")); len(left) > 0 {
		t.Errorf("leftover files: %v", left)
	}
}

// TestAllTablesAreBackedUp verifies that every table of the migrations is backed up or filled from one that is.
func TestAllTablesAreBackedUp(t *testing.T) {
	d := newTables(t)
	got := d.text(t,
		"SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.tables WHERE database = "+
			"currentDatabase() AND engine LIKE '%MergeTree' AND name NOT IN ('goose_db_version', "+
			"'otel_traces_trace_id_ts')")
	want := map[string]bool{}
	for _, table := range store.Tables {
		want[table] = true
	}
	for _, table := range strings.Fields(got) {
		if !want[table] {
			t.Errorf("the table %s is not backed up", table)
		}
		delete(want, table)
	}
	if len(want) > 0 {
		t.Errorf("missing tables: %v", want)
	}
}

// TestRefusals verifies that an unusable backup is refused with one sentence, before anything is written.
func TestRefusals(t *testing.T) {
	from := filled(t)
	whole := filepath.Join(t.TempDir(), "backup")
	if _, err := archive.Backup(background, from.Store, whole, "v1", quiet); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Backup(background, from.Store, whole, "v1", quiet); err == nil ||
		!strings.Contains(err.Error(), "is not empty") {
		t.Errorf("backup into an existing backup: %v", err)
	}
	manifest := func(change func(m *archive.Manifest)) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, "manifest.json")
			text, _ := os.ReadFile(path)
			var m archive.Manifest
			if err := json.Unmarshal(text, &m); err != nil {
				return err
			}
			change(&m)
			text, _ = json.Marshal(m)
			return os.WriteFile(path, text, 0o600)
		}
	}
	for name, c := range map[string]struct {
		harm func(dir string) error
		says string
	}{
		"not finished": {func(dir string) error {
			return os.Remove(filepath.Join(dir, "manifest.json"))
		}, "an incomplete one"},
		"torn": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "events.parquet"), 100)
		}, "damaged or was changed (100 bytes"},
		"flipped": {flip, "damaged or was changed"},
		"lacks a file": {func(dir string) error {
			return os.Remove(filepath.Join(dir, "attempts.parquet"))
		}, "lacks its file attempts.parquet"},
		"foreign": {manifest(func(m *archive.Manifest) { m.Program = "other" }), "of another program"},
		"no JSON": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "manifest.json"), []byte("{"), 0o600)
		}, "of another program"},
		"newer": {manifest(func(m *archive.Manifest) {
			m.Schema, m.Version = 9999, "v9"
		}), "from hooktape v9, which has newer tables (9999)"},
		"path traversal": {manifest(func(m *archive.Manifest) {
			m.Tables[0].Name = "../../etc/passwd"
		}), "unknown table"},
	} {
		dir := filepath.Join(t.TempDir(), "backup")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := c.harm(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Check(dir); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m, err := archive.Check(whole)
	if err != nil {
		t.Fatal(err)
	}
	before := from.content(t, "events")
	if err := archive.Restore(background, from.Store, whole, m, quiet); err == nil ||
		!strings.Contains(err.Error(), "is not empty (") {
		t.Errorf("restore into a database that is not empty: %v", err)
	}
	if after := from.content(t, "events"); after != before {
		t.Error("a refused restore changed the database")
	}
	nowhere, err := store.Open("http://127.0.0.1:1/x")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	dir := filepath.Join(t.TempDir(), "backup")
	if _, err := archive.Backup(background, nowhere, dir, "v1", quiet); err == nil {
		t.Error("backup of a database without tables: no error")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a backup that failed at the start left a folder")
	}
}

// flip flips one bit of a backup's file.
func flip(dir string) error {
	path := filepath.Join(dir, "events.parquet")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text[len(text)/2] ^= 1
	return os.WriteFile(path, text, 0o600)
}

// TestManyRows verifies a table with more rows than fit into one row group and one insert.
func TestManyRows(t *testing.T) {
	from, to := newTables(t), newDB(t)
	if err := from.conn.Exec(background, `INSERT INTO events (id, received_at, source, verdict, body, fields)
		SELECT generateUUIDv4(), now64(6) - number, 'demo', 'accepted', randomString(number % 100), map('n', toString(number)) FROM numbers(51000)`); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "backup")
	var said []string
	m, err := archive.Backup(background, from.Store, dir, "v1", func(table string, done, total uint64) {
		if done == total && table == "events" {
			said = append(said, fmt.Sprint(table, done, total))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.Restore(background, to.Store, dir, m, quiet); err != nil {
		t.Fatal(err)
	}
	if got, want := to.content(t, "events"), from.content(t, "events"); got != want || len(said) == 0 {
		t.Errorf("restored %s, want %s; reported %v", got, want, said)
	}
}
