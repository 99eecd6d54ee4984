package archive_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"hooktape/internal/archive"
	"hooktape/internal/event"
)

// texts returns the columns of a Parquet file that are declared as UTF-8. It fails the test if one has other bytes.
func texts(t *testing.T, file []byte) map[string]bool {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	columns, found := f.Schema().Columns(), map[string]bool{}
	for i, path := range columns {
		leaf, _ := f.Schema().Lookup(path...)
		if logical := leaf.Node.Type().LogicalType(); logical != nil && logical.String() == "STRING" {
			found[strings.Join(columns[i], ".")] = true
		}
	}
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		defer rows.Close()
		for buffer := make([]parquet.Row, 10); ; {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				for _, v := range row {
					name := strings.Join(columns[v.Column()], ".")
					if found[name] && !utf8.Valid(v.ByteArray()) {
						t.Errorf("column %s is declared as UTF-8 but contains %q", name, v.ByteArray())
					}
				}
			}
			if err != nil {
				break
			}
		}
	}
	return found
}

// TestStringsOfBackup verifies that a backup declares no column as UTF-8 that may contain other bytes, so that any
// program can read it.
func TestStringsOfBackup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := archive.Backup(background, filled(t).Store, dir, "v1", quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range m.Tables {
		text, err := os.ReadFile(filepath.Join(dir, table.Name))
		if err != nil {
			t.Fatal(err)
		}
		for name := range texts(t, text) {
			if table.Table != "otel_traces" || !strings.HasPrefix(name, "Events.Attributes.") &&
				!strings.HasPrefix(name, "Links.Attributes.") {
				t.Errorf("%s: column %s is declared as UTF-8", table.Name, name)
			}
		}
	}
}

// TestStringsOfExport verifies that an export declares all columns as UTF-8 except those with arbitrary bytes.
func TestStringsOfExport(t *testing.T) {
	d := filled(t)
	columns, err := d.EventColumns(background)
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w, err := archive.NewWriter(&file, "events", columns, archive.Readable)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := d.EventRows(background, event.Selection{}, nil, 100)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		if err := w.Scan(rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	found := texts(t, file.Bytes())
	for _, name := range []string{"source", "name", "utm_source", "fields.key_value.key", "fields.key_value.value",
		"headers.list.element.name"} {
		if !found[name] {
			t.Errorf("column %s is not declared as UTF-8", name)
		}
	}
	for _, name := range []string{"body", "query", "headers.list.element.value"} {
		if found[name] {
			t.Errorf("column %s is declared as UTF-8, but may contain any bytes", name)
		}
	}
	got, err := parquet.Read[struct {
		Query []byte `parquet:"query"`
	}](bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil || len(got) != 4 || string(got[0].Query) != "a=\xff" {
		t.Errorf("got the queries %q, %v", got, err)
	}
}

// TestOlderBackup verifies that backups of older versions are restored byte for byte, including versions whose
// databases cannot be updated (26) and versions that declared all strings as UTF-8.
func TestOlderBackup(t *testing.T) {
	for backup, values := range map[string]map[string]string{
		"backup-of-26": {
			"SELECT toString(count()) FROM events":                                                   "12",
			"SELECT toString(countIf(verdict = 'accepted')) FROM events":                             "9",
			"SELECT hex(body) FROM events WHERE step = 'odd1'":                                       "6E6F204A534F4E20FF",
			"SELECT name || toString(subscriber_key) FROM events WHERE step = 'paid0'":               "Джон1",
			"SELECT toString(count()) FROM events WHERE position(search_text, 'джон') > 0":           "1",
			"SELECT toString(uniqExact(replay_id, event_id)) FROM deliveries WHERE state = 'failed'": "4",
			"SELECT toString(countIf(response_body = 'taken')) FROM attempts":                        "5",
			"SELECT toString(countIf(NOT public_only)) FROM replays FINAL":                           "2",
		},
		"backup-of-39": {
			"SELECT toString(count()) FROM events":                                            "4",
			"SELECT hex(any(query)) FROM events":                                              "613DFF",
			"SELECT hex(max(headers[1].value)) FROM events":                                   "FF00",
			"SELECT hex(max(fields['Доп данные'])) FROM events":                               "FF275C",
			"SELECT toString(sum(length(body))) FROM events":                                  "1280266",
			"SELECT hex(substring(max(response_body), 254)) FROM attempts":                    "FDFEFF",
			"SELECT hex(substring(any(record), 254)) FROM quarantine":                         "FDFEFF",
			"SELECT toString(Events.Attributes) || toString(SpanAttributes) FROM otel_traces": "[{'k':'v'},{}]{'a':'b'}",
		},
	} {
		to, dir := newDB(t), filepath.Join("testdata", backup)
		m, err := archive.Check(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := archive.Restore(background, to.Store, dir, m, quiet); err != nil {
			t.Fatal(err)
		}
		for query, want := range values {
			if got := to.text(t, query); got != want {
				t.Errorf("%s: %s: got %s, want %s", backup, query, got, want)
			}
		}
	}
}
