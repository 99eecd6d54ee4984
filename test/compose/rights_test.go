package compose

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/archive"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

// accessDenied is ClickHouse's error code for a missing right.
const accessDenied = 497

// usersD writes a file into an engine's users.d folder. The engine reads it at its next start.
func usersD(t *testing.T, engine *enginetest.Engine, name, file string) {
	t.Helper()
	dir := filepath.Join(engine.Dir(), "hooktape-users.d")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestUsersLoad starts an engine with the users' files under the names they are mounted as, and verifies that the
// smaller server's limits win.
func TestUsersLoad(t *testing.T) {
	engine := enginetest.StartServer(t)
	engine.Kill()
	for _, v := range project(t).Services["clickhouse"].Volumes {
		if dir, name := filepath.Split(v.Target); dir == "/etc/clickhouse-server/users.d/" {
			usersD(t, engine, name, text(t, v.Source))
		}
	}
	for _, u := range users(t) {
		if u.Password != nil {
			t.Setenv(u.Password.FromEnv, "secret")
		}
	}
	engine.Restart()
	conn := enginetest.Connect(t, engine.DSN("default"))
	var names []string
	var limit, most string
	err := errors.Join(
		conn.QueryRow(context.Background(),
			"SELECT groupArray(name) FROM (SELECT name FROM system.users ORDER BY name)").Scan(&names),
		conn.QueryRow(context.Background(), "SELECT any(value), any(max) FROM system.settings_profile_elements"+
			" WHERE profile_name = 'hooktape_grafana' AND setting_name = 'max_memory_usage'").Scan(&limit, &most))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"collector", "default", "grafana", "hooktape"}; !slices.Equal(names, want) {
		t.Errorf("the users are %v, want %v", names, want)
	}
	if limit != "700000000" || most != "700000000" {
		t.Errorf("Grafana's memory limit is %s bytes, and at most %s by setting; want 700000000", limit, most)
	}
}

// become gives the engine's only user the rights and limits of another user: the embedded engine offers no way to log
// in as anybody else.
func become(t *testing.T, engine *enginetest.Engine, name string) driver.Conn {
	t.Helper()
	u := users(t)[name]
	grants := ""
	for _, query := range u.Grants {
		grants += "<query>" + query + "</query>"
	}
	file := fmt.Sprintf(`<clickhouse><users><default replace="replace"><password></password><networks><ip>::/0</ip></networks><profile>%s</profile>`+
		`<quota>default</quota><grants>%s</grants></default></users><profiles>%s</profiles></clickhouse>`,
		u.Profile, grants, readUsers(t, "deploy/clickhouse/users.xml").Profiles.Inner)
	engine.Kill()
	usersD(t, engine, "user.xml", file)
	engine.Restart()
	return enginetest.Connect(t, engine.DSN("default"))
}

func migrate(t *testing.T, engine *enginetest.Engine) {
	t.Helper()
	s, err := store.Open(engine.DSN("hooktape"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, projection := range store.Projections {
		if err := s.Rebuild(context.Background(), projection); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// maintain runs what hooktape regularly does with a database: purge, statistics and backup.
func maintain(t *testing.T, engine *enginetest.Engine) {
	t.Helper()
	s, err := store.Open(engine.DSN("hooktape"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	some := store.Retention{Events: 30, Bodies: 10, Attempts: 30, Traces: 7}
	_, applying := s.ApplyRetention(ctx, some)
	_, purging := s.Purge(ctx, some.Attempts)
	_, kept := s.RetentionReport(ctx, some)
	tables, stored := s.StorageReport(ctx)
	_, copying := archive.Backup(ctx, s, filepath.Join(t.TempDir(), "backup"), "", func(string, uint64, uint64) {})
	_, filled := s.FilledTable(ctx)
	if err := errors.Join(applying, purging, kept, stored, copying, filled); err != nil || len(tables) == 0 {
		t.Errorf("purge, statistics or backup failed: %d tables, %v", len(tables), err)
	}
}

func denied(t *testing.T, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		err := conn.Exec(context.Background(), sql)
		if exception, ok := errors.AsType[*clickhouse.Exception](err); !ok || exception.Code != accessDenied {
			t.Errorf("%s: %v, want error code %d", sql, err, accessDenied)
		}
	}
}

func allowed(t *testing.T, conn driver.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if err := conn.Exec(context.Background(), sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestRights verifies that hooktape can create and use its database and nothing else, and that the collector can create
// and fill its own tables and read no event.
func TestRights(t *testing.T) {
	engine := enginetest.StartServer(t)
	hooktape := become(t, engine, "hooktape")
	migrate(t, engine)
	maintain(t, engine)
	allowed(t, hooktape, "SELECT name FROM system.tables WHERE database = 'hooktape'",
		"SELECT name FROM system.detached_parts WHERE database = 'hooktape'", "SELECT name FROM system.parts",
		"CHECK TABLE hooktape.quarantine",
		"INSERT INTO hooktape.quarantine (id, received_at) SELECT generateUUIDv4(), now64(6)",
		"ALTER TABLE hooktape.quarantine DELETE WHERE 1")
	denied(t, hooktape, "CREATE DATABASE other", "CREATE TABLE default.x (n UInt8) ENGINE = Memory", "CREATE USER eve",
		"GRANT SELECT ON hooktape.* TO default", "SELECT * FROM system.users",
		"SELECT * FROM url('http://127.0.0.1:1', CSV, 'a Int')", "SELECT * FROM file('/etc/passwd', CSV, 'a String')",
		"SYSTEM SHUTDOWN")

	collector := become(t, engine, "collector")
	for _, name := range []string{"00028_otel_traces", "00029_otel_traces_trace_id_ts",
		"00030_otel_traces_trace_id_ts_mv"} {
		sql := text(t, "internal/store/migrations/"+name+".sql")
		allowed(t, collector, strings.NewReplacer("-- +goose Up\n", "", "EXISTS otel", "EXISTS hooktape.otel",
			"TO otel", "TO hooktape.otel", "FROM otel", "FROM hooktape.otel").Replace(sql))
	}
	allowed(t, collector, "CREATE DATABASE IF NOT EXISTS hooktape",
		"CREATE TABLE IF NOT EXISTS hooktape.otel_metrics_sum (TimeUnix DateTime, Value Float64) ENGINE = MergeTree "+
			"ORDER BY TimeUnix TTL TimeUnix + toIntervalDay(30)",
		"INSERT INTO hooktape.otel_metrics_sum VALUES (now(), 1)", "DESCRIBE TABLE hooktape.otel_metrics_sum",
		"INSERT INTO hooktape.otel_traces (Timestamp, TraceId) VALUES (now64(9), 'a')")
	denied(t, collector, "SELECT body FROM hooktape.events", "INSERT INTO hooktape.events (id) SELECT generateUUIDv4()",
		"DROP TABLE hooktape.otel_traces", "ALTER TABLE hooktape.otel_traces DELETE WHERE 1", "CREATE DATABASE other",
		"CREATE TABLE hooktape.x (n UInt8) ENGINE = Memory", "SELECT * FROM system.users")
}
