package alerts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// TestUser verifies the rights and limits of Grafana's user. It gives them to the engine's only user, because the
// engine offers no way to log in as another.
func TestUser(t *testing.T) {
	engine := enginetest.StartServer(t)
	storetest.Migrate(t, engine.DSN("hooktape"))
	engine.Kill()
	become(t, engine, "default")
	engine.Restart()
	conn := enginetest.Connect(t, engine.DSN("hooktape"))
	allowed := []string{
		"SELECT body, headers, fields FROM events", "SELECT count() FROM deliveries FINAL",
		"SELECT endpoint, state, counts FROM replays FINAL", "SELECT * FROM otel_traces", "SELECT count() FROM replays",
		"SELECT count() FROM audit_log", "SELECT database, name FROM system.tables",
		"SELECT name, type FROM system.columns", "SELECT name FROM system.databases",
		"SELECT name FROM system.functions", "SELECT count() FROM system.time_zones", "SELECT version(), timezone()",
		// The plugin sets max_execution_time to its timeout of 60 s plus 5 s.
		"SELECT 1 SETTINGS max_execution_time = 65", "SELECT 1 SETTINGS max_execution_time = 14, max_threads = 2",
	}
	for _, r := range rules(t) {
		allowed = append(allowed, expanded(r)...)
	}
	for _, sql := range allowed {
		if err := conn.Exec(context.Background(), sql); err != nil {
			t.Errorf("%s: %v, want no error", sql, err)
		}
	}
	for sql, code := range map[string]int32{
		"INSERT INTO quarantine (id) SELECT generateUUIDv4()": accessDenied,
		"DROP TABLE events":                                     accessDenied,
		"ALTER TABLE events DELETE WHERE 1":                     accessDenied,
		"TRUNCATE TABLE events":                                 accessDenied,
		"CREATE TABLE x (n UInt8) ENGINE = Memory":              accessDenied,
		"CREATE TEMPORARY TABLE x (n UInt8)":                    accessDenied,
		"SELECT * FROM url('http://127.0.0.1:1', CSV, 'a Int')": accessDenied,
		"SELECT * FROM remote('127.0.0.1:1', system.one)":       accessDenied,
		"SELECT * FROM system.users":                            accessDenied,
		"SYSTEM FLUSH LOGS":                                     accessDenied,
		"SELECT headers FROM replays":                           accessDenied, // may hold secrets of receivers
		"SELECT 1 SETTINGS readonly = 0":                        readOnly,
		"SELECT 1 SETTINGS max_execution_time = 0":              constraint,
		"SELECT 1 SETTINGS max_execution_time = 3600":           constraint,
		"SELECT 1 SETTINGS max_memory_usage = 0":                constraint,
		"SELECT 1 SETTINGS max_memory_usage = 8000000000":       constraint,
		"SELECT 1 SETTINGS max_memory_usage_for_user = 0":       constraint,
		"SELECT length(groupArray(number)) FROM numbers(1e9)":   memoryLimit,
	} {
		err := conn.Exec(context.Background(), sql)
		if exception, ok := errors.AsType[*clickhouse.Exception](err); !ok || exception.Code != code {
			t.Errorf("%s: %v, want error code %d", sql, err, code)
		}
	}
}

// ClickHouse's error codes.
const (
	readOnly     = 164
	memoryLimit  = 241
	constraint   = 452
	accessDenied = 497
)

// become gives a user of an engine the rights and limits of Grafana's user, from the engine's next start on.
func become(t *testing.T, engine *enginetest.Engine, user string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(provisioning, "clickhouse/grafana.xml"))
	if err != nil {
		t.Fatal(err)
	}
	file := strings.NewReplacer("<grafana>", "<"+user+` replace="replace">`, "</grafana>", "</"+user+">",
		passwordElement, "<password></password>").Replace(string(text))
	dir := filepath.Join(engine.Dir(), "hooktape-users.d")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "grafana.xml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
}
