package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
	"hooktape/web/api"
)

// newStoreInstance returns an instance on the shared engine, with all tables and additional settings.
func newStoreInstance(t *testing.T, more string) *instance {
	t.Helper()
	i := newInstance(t, storetest.DSN(t))
	i.configure(more)
	return i
}

// storeEvents stores events of these ages in days and returns them in order of receipt. Their bodies are not valid
// UTF-8.
func (i *instance) storeEvents(days ...int) (events []event.Event) {
	i.t.Helper()
	for _, n := range days {
		at := time.Now().UTC().Truncate(time.Microsecond).AddDate(0, 0, -n)
		e := event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at, Source: "demo",
			Verdict: event.Accepted, Method: "POST", Query: "a=\xf1\xff",
			Body: []byte("\x00\xff,\"\r\n" + at.String())},
			Decoded: event.Decoded{Kind: event.KindFlow, Name: "John \"Wick\",\n", Phone: "+79161234567",
				UTMSource: "=HYPERLINK(1)", Fields: map[string]string{"ё": "1"}}}
		e.BodySHA256 = sha256.Sum256(e.Body)
		events = append(events, e)
	}
	if err := i.db.InsertEvents(context.Background(), "", events); err != nil {
		i.t.Fatal(err)
	}
	return events
}

// assertContains verifies that a command's output contains all texts.
func assertContains(t *testing.T, out string, texts ...string) {
	t.Helper()
	out = strings.Join(strings.Fields(out), " ")
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Errorf("%q is not in\n%s", text, out)
		}
	}
}

// TestRetentionCommands verifies that migrate applies the retention and reports it once, and that commands report a
// deleted body.
func TestRetentionCommands(t *testing.T) {
	t.Parallel()
	i := newInstance(t, enginetest.DSN(t))
	i.configure("    retention: {bodies: 5d}\nretention: {events: 30d, bodies: 20d, attempts: 90d}\nreplay: " +
		"{allow_private: true}\n")
	out := i.cli("migrate")
	assertContains(t, out, "events are kept 30d, rejected 30d; before it was for ever",
		"events.body are kept 20d, demo 5d; before it was for ever", "attempts are kept 90d", "migrations applied")
	if out := i.cli("migrate"); !strings.Contains(out, "nothing to do") {
		t.Errorf("the second migrate printed %s", out)
	}
	events := i.storeEvents(40, 10, 1)
	assertContains(t, i.cli("retention"), "events demo 30d 30d", "events.body demo 5d 5d", "deliveries - 90d 90d 0",
		"otel_traces - for ever for ever 0 - 0 0")
	var report []store.RetentionStatus
	if err := json.Unmarshal([]byte(i.cli("retention", "--json")), &report); err != nil || len(report) < 8 {
		t.Errorf("%v, %d lines", err, len(report))
	}
	i.eventually("the events expire", func() error {
		_, err := i.db.Event(context.Background(), events[0].ID)
		if err != nil {
			return nil
		}
		return i.optimize()
	})
	id := events[1].ID.String()
	assertContains(t, i.cli("events", "show", id), "(its body is past its retention; the SHA-256 of it was")
	assertContains(t, i.cli("replay", "create", "--to", "http://127.0.0.1:9/", "--source", "demo", "--dry-run"),
		"1 event would go to", "1 event without a body, which is past its retention: left out")
	var shown api.Event
	if err := json.Unmarshal([]byte(i.cli("events", "show", id, "--json")), &shown); err != nil ||
		!shown.Request.BodyGone {
		t.Errorf("got the request %+v, %v", shown.Request, err)
	}
}

// TestRetentionAtStart verifies that a start applies the configured retention and logs it: as a warning only where there
// may be rows that it removes.
func TestRetentionAtStart(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"WARN": storetest.DSN, "INFO": enginetest.DSN} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newInstance(t, dsn(t))
			i.configure("retention: {traces: 14d}\n")
			i.start("ingest")
			i.eventually("the retention is applied", func() error {
				report, err := i.db.RetentionReport(context.Background(), store.Retention{})
				for _, k := range report {
					if k.What == "otel_traces" && k.InForce == "14d" {
						return nil
					}
				}
				return errors.Join(err, errors.New("no TTL"))
			})
			i.eventually("the retention is logged", func() error {
				if !strings.Contains(i.output.String(), "level="+name+
					` msg="the retention is changed" of=otel_traces from="for ever" to=14d`) {
					return errors.New("no line about it")
				}
				return nil
			})
			i.stop()
		})
	}
}

// optimize runs the merges that ClickHouse would run later. Its error makes eventually try again.
func (i *instance) optimize() error {
	_, err := i.ask("OPTIMIZE TABLE events FINAL")
	return errors.Join(err, errors.New("the expired event still exists"))
}

// TestStorageCommand verifies the report of tables, sources and spools with their sizes.
func TestStorageCommand(t *testing.T) {
	t.Parallel()
	i := newStoreInstance(t, "")
	i.storeEvents(3, 2, 1)
	if err := os.MkdirAll(filepath.Join(i.dir, "spool", "events"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.dir, "spool", "events", "x"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	assertContains(t, i.cli("storage"), "TABLE ROWS ON DISK UNCOMPRESSED RATIO OLDEST NEWEST", "events 3 ", "demo 3 0 ",
		"events 3.0 MiB")
	var r storageReport
	if err := json.Unmarshal([]byte(i.cli("storage", "--json")), &r); err != nil {
		t.Fatal(err)
	}
	if r.Tables[0].Table != "events" || r.Tables[0].Rows != 3 || r.Tables[0].Bytes == 0 ||
		r.Tables[0].Uncompressed == 0 ||
		r.Tables[0].Newest.Sub(r.Tables[0].Oldest).Round(time.Minute) != 48*time.Hour ||
		len(r.Sources) != 1 || r.Sources[0].Events != 3 || r.Sources[0].BodyBytes == 0 || len(r.Spools) != 1 ||
		r.Spools[0].Bytes != 3<<20 {
		t.Errorf("got the report %+v", r)
	}
}

// TestExport verifies that each format has every selected event once, in order, with every byte of its body.
func TestExport(t *testing.T) {
	t.Parallel()
	i := newStoreInstance(t, "")
	events := i.storeEvents(3, 2, 1)
	if err := i.db.InsertEvents(context.Background(), "", events[1:2]); err != nil { // stored twice
		t.Fatal(err)
	}
	if r := i.try("events", "list", "--limit", "2"); strings.Count(r.out, "\n") != 3 ||
		!strings.Contains(r.err, "there are more than these 2; --limit shows more") {
		t.Errorf("truncated list of ids: %s%s", r.out, r.err)
	}
	if r := i.try("events", "list", "--limit", "10"); strings.Count(r.out, "\n") != 5 || r.err != "" {
		t.Errorf("complete list of ids: %s%s", r.out, r.err)
	}
	if r := i.try("events", "list", "--source", "nobody"); r.code != 0 || r.out != "" ||
		!strings.Contains(r.err, "no events match") {
		t.Errorf("empty list of ids: %d %s%s", r.code, r.out, r.err)
	}
	if r := i.try("events", "export", "--failed-at", "cmr", "-"); r.code != 1 || r.out != "" ||
		!strings.Contains(r.err, `there is no endpoint "cmr"`) {
		t.Errorf("unknown endpoint: %d %s%s", r.code, r.out, r.err)
	}
	path := func(name string) string { return filepath.Join(i.dir, name) }
	for _, name := range []string{"a.ndjson", "a.csv", "a.parquet"} {
		if out := i.cli("events", "export", "--source", "demo", path(name)); !strings.HasPrefix(out, "3 events in ") {
			t.Errorf("%s: %s", name, out)
		}
	}
	bodies := map[string][][]byte{"a.ndjson": jsonBodies(t, path("a.ndjson")), "a.csv": csvBodies(t, path("a.csv")),
		"a.parquet": parquetBodies(t, path("a.parquet"))}
	for name, got := range bodies {
		if len(got) != len(events) {
			t.Errorf("%s: %d events, want %d", name, len(got), len(events))
			continue
		}
		for n := range events {
			if !bytes.Equal(got[n], events[n].Body) {
				t.Errorf("%s: body of event %d is %q, want %q", name, n, got[n], events[n].Body)
			}
		}
	}
	if out := i.cli("events", "export", "--since", "36h", "-"); strings.Count(out, "\n") != 1 ||
		!strings.Contains(out, events[2].ID.String()) {
		t.Errorf("export to standard output: %s", out)
	}
	if out := i.cli("events", "export", "--source", "nobody", path("none.parquet")); !strings.HasPrefix(out,
		"0 events in") || len(parquetBodies(t, path("none.parquet"))) != 0 {
		t.Errorf("export without events: %s", out)
	}
}

// TestExportColumns verifies that each format has only the chosen columns.
func TestExportColumns(t *testing.T) {
	t.Parallel()
	i := newStoreInstance(t, "")
	events := i.storeEvents(1)
	choose := func(format string) string {
		return i.cli("events", "export", "--columns", "id,utm_source,fields", "--format", format, "-")
	}
	if got, want := choose("csv"), "id,utm_source,fields\n"+events[0].ID.String()+
		",'=HYPERLINK(1),\"{\"\"ё\"\":\"\"1\"\"}\"\n"; got != want {
		t.Errorf("csv: %q, want %q", got, want)
	}
	if got, want := choose("ndjson"), `{"fields":{"ё":"1"},"id":"`+events[0].ID.String()+
		`","utm_source":"=HYPERLINK(1)"}`+"\n"; got != want {
		t.Errorf("ndjson: %s, want %s", got, want)
	}
	file := choose("parquet")
	f, err := parquet.OpenFile(strings.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, field := range f.Schema().Fields() {
		names = append(names, field.Name())
	}
	if slices.Sort(names); !slices.Equal(names, []string{"fields", "id", "utm_source"}) || f.NumRows() != 1 {
		t.Errorf("parquet has %d rows of %v", f.NumRows(), names)
	}
	for _, format := range []string{"csv", "parquet"} {
		if r := i.try("events", "export", "--columns", "nam", "--format", format, "-"); r.code != 1 ||
			!strings.Contains(r.err, `--columns: there is no column "nam"; `) ||
			!strings.Contains(r.err, "utm_source") {
			t.Errorf("%s: %d %s", format, r.code, r.err)
		}
	}
}

// TestExportPages verifies that an export of more than one query has every event once.
func TestExportPages(t *testing.T) {
	t.Parallel()
	i := newStoreInstance(t, "")
	i.storeEvents(make([]int, exportPage+5)...) // within moments, so that a page ends among events of the same time
	var ids []string
	for line := range strings.Lines(i.cli("events", "export", "-")) {
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	lines := len(ids)
	slices.Sort(ids)
	if different := len(slices.Compact(ids)); lines != exportPage+5 || different != lines {
		t.Errorf("%d events, %d distinct, want %d", lines, different, exportPage+5)
	}
}

func jsonBodies(t *testing.T, path string) (bodies [][]byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(text)); decoder.More(); {
		var e api.Event
		if err := decoder.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if bodies = append(bodies, e.Request.Bytes()); e.Request.RawQuery() != "a=\xf1\xff" {
			t.Errorf("got the query %q", e.Request.RawQuery())
		}
	}
	return bodies
}

func csvBodies(t *testing.T, path string) (bodies [][]byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text, marked := bytes.CutPrefix(text, []byte(api.ByteOrderMark))
	if !marked || !utf8.Valid(text) {
		t.Errorf("%s has no byte order mark (%v), or is not UTF-8", path, marked)
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		r := api.EventRequest{}
		for n, name := range lines[0] {
			switch name {
			case "body":
				r.Body = line[n]
			case "body_base64":
				r.BodyBase64 = line[n]
			case "query_base64":
				if line[n] != "YT3x/w==" {
					t.Errorf("got the query %q", line[n])
				}
			case "phone":
				if line[n] != "+79161234567" {
					t.Errorf("got the phone %q", line[n])
				}
			case "utm_source":
				if line[n] != "'=HYPERLINK(1)" {
					t.Errorf("a spreadsheet would run the formula %q", line[n])
				}
			case "name":
				if line[n] != "John \"Wick\",\n" {
					t.Errorf("got the name %q", line[n])
				}
			}
		}
		bodies = append(bodies, r.Bytes())
	}
	return bodies
}

func parquetBodies(t *testing.T, path string) (bodies [][]byte) {
	t.Helper()
	rows, err := parquet.ReadFile[struct {
		Body  []byte `parquet:"body"`
		Query []byte `parquet:"query"`
	}](path)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if bodies = append(bodies, row.Body); string(row.Query) != "a=\xf1\xff" {
			t.Errorf("got the query %q", row.Query)
		}
	}
	return bodies
}

// TestBackupCommands restores a backup of one database into another.
func TestBackupCommands(t *testing.T) {
	t.Parallel()
	i := newStoreInstance(t, "")
	events := i.storeEvents(3, 2, 1)
	dir := filepath.Join(i.dir, "backup")
	assertContains(t, i.cli("backup", dir), "3 rows of 13 tables are in")
	other := newInstance(t, enginetest.DSN(t)) // empty
	to := []string{"--clickhouse-dsn", other.dsn, "restore", dir}
	assertContains(t, i.cli(append(to, "--dry-run")...), "3 rows of 13 tables", "are whole and would be restored")
	if n, err := other.db.FilledTable(context.Background()); n != "" || err != nil {
		t.Errorf("events after a dry run: %q, %v", n, err)
	}
	assertContains(t, i.cli(to...), "3 rows of 13 tables", "are restored into the database test_")
	for _, want := range events {
		if got, err := other.db.Event(context.Background(), want.ID); err != nil || !bytes.Equal(got.Body, want.Body) {
			t.Errorf("%s: %v", want.ID, err)
		}
	}
}
