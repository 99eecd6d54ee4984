package store_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

// oldest returns a database of version 35 as migrations 1 to 35 created it; testdata/schema-35.sql has the output of
// SHOW CREATE TABLE.
func oldest(t *testing.T) db {
	t.Helper()
	ddl, err := os.ReadFile("testdata/schema-35.sql")
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, enginetest.DSN(t))
	for statement := range strings.SplitSeq(strings.TrimSpace(string(ddl)), ";\n") {
		d.exec(t, strings.ReplaceAll(statement, "hooktape.", ""))
	}
	d.exec(t, "INSERT INTO goose_db_version (version_id, is_applied) SELECT number, 1 FROM numbers(36)")
	return d
}

// settingsOf matches a table's settings, which SHOW CREATE TABLE prints in the order in which they were set.
var settingsOf = regexp.MustCompile(`SETTINGS (.*)$`)

// tables returns the definition of each table by name: its columns, then everything else.
func (d db) tables(t *testing.T) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	var rows []struct{ Name, Query string }
	if err := d.conn.Select(background, &rows,
		"SELECT name AS Name, create_table_query AS Query FROM system.tables WHERE database = currentDatabase()"); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		var columns []string
		err := d.conn.QueryRow(background,
			"SELECT groupArray(toString((name, type, default_kind, default_expression, compression_codec))) FROM "+
				"(SELECT * FROM system.columns WHERE database = currentDatabase() AND table = "+quoted(row.Name)+
				" ORDER BY position)").Scan(&columns)
		if err != nil {
			t.Fatal(err)
		}
		query := strings.ReplaceAll(row.Query, d.Database()+".", "")
		if m := settingsOf.FindStringSubmatch(query); m != nil {
			settings := strings.Split(m[1], ", ")
			slices.Sort(settings)
			query = strings.Replace(query, m[1], strings.Join(settings, ", "), 1)
		}
		tables[row.Name] = append(columns, query)
	}
	return tables
}

func quoted(text string) string { return "'" + text + "'" }

// contents returns a hash of all rows of each table, over the given columns.
func (d db) contents(t *testing.T, columns map[string]string) map[string]string {
	t.Helper()
	contents := map[string]string{}
	for table, list := range columns {
		from := table
		if slices.Contains(store.Versioned, table) {
			from += " FINAL"
		}
		contents[table] = d.text(t, "SELECT toString((count(), sum(sipHash64(formatRow('RowBinary', "+list+
			"))))) FROM "+from)
	}
	return contents
}

// TestUpgradeOfOldestSchema verifies that a database of version 35, migrated to the latest version, has the tables and
// columns of a new database, and its old rows.
func TestUpgradeOfOldestSchema(t *testing.T) {
	t.Parallel()
	d := oldest(t)
	if is, err := d.SchemaNow(background); err != nil || is.At != store.OldestSchema || is.TooOld {
		t.Fatalf("got the schema %+v, %v", is, err)
	}
	id := eventAt(dawn, 1).ID.String()
	for table, row := range map[string]string{
		"events": "(id, received_at, source, kind, verdict, method, body, bothelp_user_id, name, phone, fields) VALUES " +
			"('" + id +
			"', '2026-03-01 00:00:00', 'demo', 'flow', 'accepted', 'POST', 'b', '47659', 'Ада', '+7 (916) " +
			"123-45-67', {'a': 'b'}), " +
			"('019c1f00-0000-7000-8000-000000000001', '2026-02-01 00:00:00', 'demo', '', 'bad_token', 'POST', 'lost " +
			"and found', '', '', '', {})",
		"quarantine": "(id, received_at, error) VALUES ('019c1f00-0000-7000-8000-000000000001', '2026-03-01 " +
			"00:00:00', 'x')",
		"replays": "(id, created_at, state, selection, total) VALUES " +
			"('019c1f00-0000-7000-8000-000000000001', '2026-03-01 00:00:00', 'done', '{}', 3)",
		"deliveries": "(endpoint, event_received_at, event_id, state, version) VALUES ('crm', '2026-03-01 " +
			"00:00:00', '" + id + "', 'delivered', 1)",
		"attempts": "(id, event_id, endpoint, started_at, outcome, request_headers) VALUES " +
			"('019c1f00-0000-7000-8000-000000000001', '" + id +
			"', 'crm', '2026-03-01 00:00:00', 'delivered', [('a', 'b')])",
		"otel_traces": "(Timestamp, TraceId, SpanAttributes, Events.Timestamp, Events.Name, Events.Attributes) " +
			"VALUES ('2026-03-01 00:00:00.123456789', 'abc', {'a': 'b'}, ['2026-03-01 00:00:00'], ['x'], [{'k': 'v'}])",
		"commands": "(target, action, by) VALUES ('crm', 'pause', 'me'), ('crm', 'resume', 'me')",
		"endpoint_states": "(endpoint, shard, state, followed_until) VALUES ('crm', '1/1', 'active', '2026-03-01 " +
			"00:00:00')",
		"audit_log": "(at, who) VALUES ('2026-03-01 00:00:00', 'me')",
		"holders":   "(shard, holder) VALUES ('1/1', 'me')",
		"swept":     "(endpoint, event_received_at) VALUES ('crm', '2026-03-01 00:00:00')",
	} {
		d.exec(t, "INSERT INTO "+table+" "+row)
	}
	columns := map[string]string{}
	var rows []struct{ Table, Columns string }
	err := d.conn.Select(background, &rows,
		"SELECT table AS Table, arrayStringConcat(groupArray('`' || name || '`'), ', ') AS Columns FROM system.columns "+
			"WHERE database = currentDatabase() AND table IN (SELECT name FROM system.tables WHERE database = "+
			"currentDatabase() AND engine LIKE '%MergeTree') AND table != 'goose_db_version' GROUP BY table")
	if err != nil || len(rows) != 12 {
		t.Fatalf("%d tables, %v", len(rows), err)
	}
	for _, row := range rows {
		columns[row.Table] = row.Columns
	}
	before := d.contents(t, columns)

	if applied, err := d.Migrate(background); err != nil || applied == 0 {
		t.Fatalf("%d migrations applied, %v", applied, err)
	}
	testutil.Eventually(t, func() error {
		if left := d.text(t,
			"SELECT toString(groupArray((command, latest_fail_reason))) FROM system.mutations WHERE database = "+
				"currentDatabase() AND NOT is_done"); left != "[]" {
			return errors.New(left)
		}
		return nil
	})
	got, want := d.tables(t), newDB(t).tables(t)
	if len(want) < 15 || len(got) != len(want) {
		t.Errorf("%d tables, want %d", len(got), len(want))
	}
	for table := range want {
		for i, line := range want[table] {
			if i >= len(got[table]) || got[table][i] != line {
				t.Errorf("%s: got\n%s\nwant\n%s", table, strings.Join(got[table][min(i, len(got[table])):], "\n"), line)
				break
			}
		}
	}
	after := d.contents(t, columns)
	for table, content := range before {
		if strings.HasPrefix(content, "(0,") || after[table] != content {
			t.Errorf("%s has rows %s, had %s", table, after[table], content)
		}
	}
	for _, text := range []string{"ада", "79161234567"} {
		if found := d.list(t, event.Selection{Text: text}); len(found) != 1 || found[0].ID.String() != id {
			t.Errorf("%q finds %+v", text, found)
		}
	}
	if n := d.text(t, "SELECT toString(countIf(number = toUnixTimestamp64Micro(at))) FROM commands"); n != "2" {
		t.Errorf("%s of 2 commands have a numeric time", n)
	}
	journeys := "SELECT toString(count()) FROM journeys(from = '1769904000', to = '1772409600', source = 'demo', " +
		"goals = 'a', window_days = 1, " +
		"attribution = 'first', channel = '*', utm_source = '*', utm_medium = '*', utm_campaign = '*', utm_content = " +
		"'*', utm_term = '*')"
	if n := d.text(t, journeys); n != "1" {
		t.Errorf("journeys returns %s subscribers", n)
	}
}

// TestOlderSchemaIsRefused verifies that Migrate does not change tables older than version 35, and that its error says
// how to keep their rows.
func TestOlderSchemaIsRefused(t *testing.T) {
	t.Parallel()
	d := oldest(t)
	d.exec(t, "ALTER TABLE goose_db_version DELETE WHERE version_id = 35 SETTINGS mutations_sync = 1")
	tables := fmt.Sprint(d.tables(t))
	for _, what := range []func() error{
		func() error { _, err := d.Migrate(background); return err },
		func() error { is, _ := d.SchemaNow(background); return is.Err() },
	} {
		err := what()
		if !errors.Is(err, store.ErrOlderSchema) || !strings.Contains(err.Error(), "it is at 34") ||
			!strings.Contains(err.Error(), "hooktape backup") || !strings.Contains(err.Error(), "hooktape restore") {
			t.Errorf("got error %v", err)
		}
	}
	if now := fmt.Sprint(d.tables(t)); now != tables {
		t.Errorf("Migrate changed the tables to\n%s", now)
	}
}

// TestHalfCreatedSchema verifies that Migrate completes partly created tables, whichever statements ran without being
// recorded.
func TestHalfCreatedSchema(t *testing.T) {
	t.Parallel()
	d := newDB(t)
	want := d.tables(t)
	d.exec(t, "ALTER TABLE "+d.localTable("goose_db_version")+
		" DELETE WHERE version_id > 25 SETTINGS mutations_sync = 1")
	d.exec(t, "DROP TABLE swept")
	if applied, err := d.Migrate(background); err != nil || applied == 0 {
		t.Fatalf("%d migrations applied, %v", applied, err)
	}
	if got := d.tables(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
}
