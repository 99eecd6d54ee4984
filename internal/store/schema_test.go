package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

// TestConcurrentMigrations verifies that processes that start together on an empty database all succeed, with the
// schema that a single one creates, and that a later migration changes nothing. Goose has no lock for ClickHouse, so
// each process applies all migrations that it finds missing, some several times. That is safe because each migration is
// one repeatable statement (TestMigrationsRepeat).
func TestConcurrentMigrations(t *testing.T) {
	dsn := enginetest.DSN(t)
	d := open(t, dsn)
	migrated := func(processes int) (schema string) {
		t.Helper()
		d.exec(t, "DROP DATABASE IF EXISTS "+d.Database()+" SYNC")
		var all errgroup.Group
		for range processes {
			process := open(t, dsn)
			all.Go(func() error { _, err := process.Migrate(background); return err })
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		e := eventAt(dawn, 1)
		d.insert(t, e)
		if applied, err := d.Migrate(background); err != nil || applied != 0 {
			t.Errorf("afterwards: %d applied, %v", applied, err)
		}
		if _, err := d.Event(background, e.ID); err != nil {
			t.Errorf("schema afterwards: %v", err)
		}
		testutil.Eventually(t, func() error {
			if left := d.text(t, "SELECT toString(groupArray((command, latest_fail_reason))) FROM system.mutations "+
				"WHERE database = currentDatabase() AND NOT is_done"); left != "[]" {
				return errors.New(left)
			}
			return nil
		})
		return d.text(t, "SELECT arrayStringConcat(groupArray(create_table_query), '\n') FROM (SELECT "+
			"create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name)")
	}
	alone := migrated(1)
	if n := strings.Count(alone, "CREATE "); n < 15 {
		t.Errorf("%d tables:\n%s", n, alone)
	}
	for _, processes := range []int{2, 3} {
		if many := migrated(processes); many != alone {
			t.Errorf("schema of %d processes:\n%s\nof a single one:\n%s", processes, many, alone)
		}
	}
}

// TestMigrateWhileAnotherDoes verifies that Migrate tries again after each error that ClickHouse reports while another
// process renames or drops a table. A proxy answers ALTER statements with them, because their moment is hard to meet.
func TestMigrateWhileAnotherDoes(t *testing.T) {
	behind, err := url.Parse(enginetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	var answers []string // to the next ALTER statements
	engine := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind.Host})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		statement, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has left
		}
		if len(answers) > 0 && bytes.Contains(statement, []byte("ALTER TABLE")) {
			code, _, _ := strings.Cut(answers[0], ".")
			w.Header().Set("X-ClickHouse-Exception-Code", code)
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "Code: %s (version 26.1.1.1)\n", answers[0])
			answers = answers[1:]
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(statement))
		engine.ServeHTTP(w, r)
	}))
	defer front.Close()
	d := open(t, strings.Replace(front.URL, "//", "//"+behind.User.String()+"@", 1)+behind.Path)
	for _, c := range []struct {
		answers []string
		refused bool
	}{
		{[]string{"517. DB::Exception: Cannot alter table because it was renamed. (CANNOT_ASSIGN_ALTER)",
			"60. DB::Exception: Table test.deliveries does not exist. (UNKNOWN_TABLE)",
			"218. DB::Exception: Table is dropped. (TABLE_IS_DROPPED)",
			"741. DB::Exception: Table UUID does not match. (TABLE_UUID_MISMATCH)"}, false},
		{[]string{"57. DB::Exception: Table test.deliveries already exists. (TABLE_ALREADY_EXISTS)"}, false},
		{[]string{"62. DB::Exception: Syntax error. (SYNTAX_ERROR)"}, true},
	} {
		d.exec(t, "DROP DATABASE IF EXISTS "+d.Database()+" SYNC")
		answers = c.answers
		if _, err := d.Migrate(background); (err != nil) != c.refused || len(answers) > 0 {
			t.Errorf("after %q, of which %q were not sent: %v", c.answers, answers, err)
		}
	}
}

func TestMigrateCreatesTheDatabase(t *testing.T) {
	engine := enginetest.Start(t)
	d := open(t, engine.DSN("of-its own`\\name"))
	if _, err := d.Migrate(background); err != nil {
		t.Fatal(err)
	}
	d.insert(t, eventAt(dawn, 1))
	s, err := store.Open(strings.TrimSuffix(engine.DSN(""), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Database() != "hooktape" {
		t.Errorf("a DSN without a database selects %q", s.Database())
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	d := newDB(t)
	d.exec(t, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (10000, 1)")
	if _, err := d.Migrate(background); !errors.Is(err, store.ErrNewerSchema) ||
		!strings.Contains(err.Error(), "10000") {
		t.Errorf("got error %v", err)
	}
}

// TestErrorClasses verifies that errors of a real engine have the classes that callers handle.
func TestErrorClasses(t *testing.T) {
	d := newDB(t)
	refused := func(change string) error {
		t.Helper()
		d.exec(t, change)
		return d.InsertEvents(background, "", []event.Event{eventAt(dawn, 1)})
	}
	empty := open(t, enginetest.DSN(t))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String() + "/hooktape"
	listener.Close()
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections but never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	soon, cancel := context.WithTimeout(background, 200*time.Millisecond)
	defer cancel()
	_, unknownTable := empty.ListEvents(background, event.Selection{}, store.Page{Limit: 1})
	all := []error{store.ErrRefused, store.ErrUnavailable, store.ErrUnauthorized, store.ErrNotFound}
	for _, c := range []struct {
		name string
		err  error
		want error // nil: no class
	}{
		{"unknown table", unknownTable, nil},
		{"insert into an unknown table", empty.InsertEvents(background, "", []event.Event{eventAt(dawn, 1)}), nil},
		{"unknown database", open(t, "http://"+hostOf(empty.dsn)+"/no_such_database").Ping(background), nil},
		{"constraint", refused("ALTER TABLE events ADD CONSTRAINT never CHECK source != 'demo'"), store.ErrRefused},
		{"missing column", refused("ALTER TABLE events DROP CONSTRAINT never, DROP COLUMN last_contact_at"), nil},
		{"connection refused", open(t, closed).Ping(background), store.ErrUnavailable},
		{"insert, connection refused", open(t, closed).InsertEvents(background, "", []event.Event{eventAt(dawn, 1)}),
			store.ErrUnavailable},
		{"migrate, connection refused", migrateErr(open(t, closed)), store.ErrUnavailable},
		{"deadline exceeded", open(t, "http://"+hanging.Addr().String()+"/hooktape").Ping(soon), store.ErrUnavailable},
		{"unknown host", open(t, "http://no-such-host.invalid:8123/hooktape").Ping(background), store.ErrUnavailable},
		{"no such event", eventErr(newDB(t), eventAt(dawn, 1)), store.ErrNotFound},
		{"server's own timeout", open(t, d.dsn+"?max_execution_time=1").Ping(background), nil},
	} {
		if c.err == nil && c.name != "server's own timeout" {
			t.Errorf("%s: no error", c.name)
		}
		for _, class := range all {
			if errors.Is(c.err, class) != (class == c.want) {
				t.Errorf("%s: errors.Is %q = %v: %v", c.name, class, errors.Is(c.err, class), c.err)
			}
		}
	}
	if d.exec(t, "DROP TABLE events"); d.InsertEvents(background, "", []event.Event{eventAt(dawn, 1)}) == nil {
		t.Error("an insert into a missing table returned no error")
	}
}

func hostOf(dsn string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(dsn, "http://"), "/")
	return host
}

func migrateErr(d db) error { _, err := d.Migrate(background); return err }

func eventErr(d db, e event.Event) error { _, err := d.Event(background, e.ID); return err }

// TestErrorsAreShort verifies that an error fits into a log line and contains neither the password nor a query's
// values.
func TestErrorsAreShort(t *testing.T) {
	engine := enginetest.Start(t)
	d := open(t, engine.DSN("hooktape"))
	if _, err := d.Migrate(background); err != nil {
		t.Fatal(err)
	}
	sel := event.Selection{Sources: []string{"looked-for"}}
	d.list(t, sel) // opens a connection, which the pool keeps
	engine.Kill()
	for range 3 {
		_, err := d.ListEvents(background, sel, store.Page{Limit: 1})
		if err == nil {
			t.Fatal("no error")
		}
		if text := err.Error(); strings.Contains(text, enginetest.Password) || strings.Contains(text, "looked-for") ||
			strings.Contains(text, "param_") {
			t.Errorf("got the error %s", text)
		}
	}
	if _, err := store.Open("http://someone:s3cret@host:notaport/"); err == nil ||
		strings.Contains(err.Error(), "s3cret") {
		t.Errorf("a wrong DSN: %v", err)
	}
}

// TestHTTPS verifies that the DSN that an error recommends works.
func TestHTTPS(t *testing.T) {
	behind, err := url.Parse(enginetest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: behind.Host}))
	defer front.Close()
	ping := func(dsn string) error {
		s, err := store.Open(dsn)
		if err != nil {
			return err
		}
		defer s.Close()
		return s.Ping(background)
	}
	dsn := strings.Replace(front.URL, "//", "//"+behind.User.String()+"@", 1) + behind.Path
	if err := ping(dsn + "?skip_verify=true"); err != nil {
		t.Errorf("with a trusted certificate: %v", err)
	}
	if err := ping(dsn); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("untrusted certificate: %v", err)
	}
	s, err := store.Open("https://user:password@host:8443/hooktape")
	if err != nil {
		t.Fatalf("with the recommended DSN: %v", err)
	}
	s.Close()
}

// TestDeduplication verifies that the same token stores rows once, also across a kill, and that another token stores
// them again.
func TestDeduplication(t *testing.T) {
	engine := enginetest.Start(t)
	d := open(t, engine.DSN("hooktape"))
	if _, err := d.Migrate(background); err != nil {
		t.Fatal(err)
	}
	// Events around the end of a month: two partitions, so two parts.
	batch := []event.Event{eventAt(dawn.Add(-time.Hour), 1), eventAt(dawn.Add(time.Hour), 2)}
	insert := func(token string) {
		t.Helper()
		if err := d.InsertEvents(background, token, batch); err != nil {
			t.Fatal(err)
		}
	}
	count := func(want string) {
		t.Helper()
		if n := d.text(t, "SELECT toString(count()) FROM events"); n != want {
			t.Errorf("%s rows, want %s", n, want)
		}
	}
	insert("spool-1-2")
	insert("spool-1-2")
	count("2")
	engine.Kill()
	engine.Restart()
	d = open(t, engine.DSN("hooktape"))
	insert("spool-1-2")
	count("2")
	insert("spool-3-4")
	count("4")
	q := store.Quarantined{ID: batch[0].ID, ReceivedAt: dawn, Source: "demo", Error: "x", Record: []byte{0, 0xff}}
	for range 2 {
		if err := d.InsertQuarantine(background, q); err != nil {
			t.Fatal(err)
		}
	}
	if got := d.text(t,
		"SELECT formatRow('CSV', count(), any(id), any(source), any(error), hex(any(record))) FROM quarantine"); got != `1,"`+q.ID.String()+"\",\"demo\",\"x\",\"00FF\"\n" {
		t.Errorf("quarantine: %s", got)
	}
}

// repeats matches statements that may run twice: they do nothing the second time, or repeat harmless work.
var repeats = regexp.MustCompile(`^(CREATE (TABLE|VIEW|MATERIALIZED VIEW|FUNCTION) IF NOT EXISTS |CREATE OR REPLACE |` +
	`ALTER TABLE \w+ ((ADD (COLUMN|INDEX|PROJECTION|CONSTRAINT) IF NOT EXISTS |DROP \w+ IF EXISTS |MODIFY |MATERIALIZE )[^;]*))`)

// TestMigrationsRepeat verifies that every migration is one repeatable statement, and that there are no down
// migrations. goose has no lock for ClickHouse, and ClickHouse has no transaction around goose's statements: processes
// that migrate concurrently each run all missing migrations, and a process killed before it records a migration runs it
// again.
func TestMigrationsRepeat(t *testing.T) {
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	comment := regexp.MustCompile(`(?m)--.*$`)
	space := regexp.MustCompile(`\s+`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "goose Down") {
			t.Errorf("%s has a down migration", file)
		}
		statement := strings.TrimSpace(space.ReplaceAllString(comment.ReplaceAllString(string(text), ""), " "))
		adds := strings.Count(statement, "ADD ")
		if !repeats.MatchString(statement) || strings.Contains(strings.TrimSuffix(statement, ";"), ";") ||
			(adds > 0 && adds != strings.Count(statement, " IF NOT EXISTS ")) {
			t.Errorf("%s is not repeatable: %s", file, statement)
		}
	}
}
