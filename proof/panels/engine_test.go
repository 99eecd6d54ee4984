package panels_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hooktape/internal/enginetest"
	"hooktape/proof/panels"
	"hooktape/simulate"
	"hooktape/store"
)

var until = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// database is an engine, as a panel asks it.
type database struct{ url string }

func fill(t *testing.T, a *simulate.Account) (database, *store.Store) {
	t.Helper()
	d, db := empty(t)
	insert(t, a, db)
	return d, db
}

// empty is an engine with nothing in it but the tables.
func empty(t *testing.T) (database, *store.Store) {
	t.Helper()
	dsn := enginetest.DSN(t)
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	ctx := context.Background()
	if _, err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return database{"http://" + u.Host + "/?default_format=JSONCompact&output_format_json_quote_64bit_integers=0&output_format_json_quote_denormals=1&database=" + strings.Trim(u.Path, "/")}, db
}

func insert(t *testing.T, a *simulate.Account, db *store.Store) {
	t.Helper()
	if err := a.Backfill(context.Background(), db.InsertEvents, func(simulate.Progress) {}); err != nil {
		t.Fatal(err)
	}
}

// row is a row of an answer, by the names of its columns.
type row map[string]any

func (r row) n(column string) uint64  { return uint64(r[column].(float64)) }
func (r row) s(column string) string  { return r[column].(string) }
func (r row) f(column string) float64 { f, _ := r[column].(float64); return f }

// ask runs a query, its text as ClickHouse gets it.
func (d database) ask(sql string) ([]row, error) {
	response, err := http.Post(d.url, "text/plain", strings.NewReader(sql))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s", data)
	}
	var answer struct {
		Meta []struct{ Name string }
		Data [][]any
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return nil, fmt.Errorf("%w in %.200s", err, data)
	}
	rows := make([]row, len(answer.Data))
	for i, values := range answer.Data {
		rows[i] = row{}
		for k, v := range values {
			rows[i][answer.Meta[k].Name] = v
		}
	}
	return rows, nil
}

// see is what a panel shows.
func (d database) see(t *testing.T, board, title string, v panels.View) []row {
	t.Helper()
	all, err := panels.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range all {
		if q.Dashboard == board && q.Title == title {
			sql, err := v.Expand(q.SQL)
			if err != nil {
				t.Fatalf("%s: %v", title, err)
			}
			rows, err := d.ask(sql)
			if err != nil {
				t.Fatalf("%s: %v", title, err)
			}
			return rows
		}
	}
	t.Fatalf("%s has no panel %q", board, title)
	return nil
}
