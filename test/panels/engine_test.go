package panels_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/dashboards"
	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
	"hooktape/test/panels"
)

var until = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// database is the HTTP address of an engine that panels query.
type database struct{ url string }

func fill(t *testing.T, a *simulate.Account) (database, *store.Store) {
	t.Helper()
	d, db := empty(t)
	insert(t, a, db)
	return d, db
}

// empty returns a database that has the tables but no rows.
func empty(t *testing.T) (database, *store.Store) {
	t.Helper()
	db, dsn := storetest.Open(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	settings := u.Query()
	settings.Set("default_format", "JSONCompact")
	settings.Set("output_format_json_quote_64bit_integers", "0")
	settings.Set("output_format_json_quote_denormals", "1")
	settings.Set("distributed_product_mode", grafanasMode(t))
	settings.Set("database", strings.Trim(u.Path, "/"))
	user := u.User
	if password, _ := user.Password(); password == enginetest.Password && !enginetest.IsOnCluster() {
		user = url.UserPassword("reader", enginetest.ReaderPassword) // as Grafana does
	}
	return database{(&url.URL{Scheme: "http", User: user, Host: u.Host, Path: "/",
		RawQuery: settings.Encode()}).String()}, db
}

// grafanasMode returns the distributed_product_mode of Grafana's user. Subqueries on the tables of a cluster depend on
// it.
func grafanasMode(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../dashboards/provisioning/clickhouse/grafana.xml")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("<distributed_product_mode>(.*)</").FindSubmatch(text)
	if m == nil {
		return "deny" // ClickHouse's default
	}
	return string(m[1])
}

// TestOnCluster runs the panels' tests with the tables of two shards.
func TestOnCluster(t *testing.T) {
	// One time range is enough for deliveries, and one for the simulated account.
	enginetest.OnCluster(t, store.ShardedBy(), 6, "-test.run",
		"^(TestDeliveriesTruth|TestExternalTruth|TestTruth)$/^plugin_4$/^(two_weeks|8_hours|6_hours)$")
	if enginetest.Whole() {
		enginetest.OnCluster(t, store.ShardedBy(), 2, "-test.run",
			"^(TestPipelineTruth|TestHostile)$/^(plugin_4|variables)$")
	}
}

func insert(t *testing.T, a *simulate.Account, db *store.Store) {
	t.Helper()
	if err := a.Backfill(context.Background(), db.InsertEvents, func(simulate.Progress) {}); err != nil {
		t.Fatal(err)
	}
}

// row maps the columns of a result row to their values.
type row map[string]any

func (r row) n(column string) uint64  { return uint64(r[column].(float64)) }
func (r row) s(column string) string  { return r[column].(string) }
func (r row) f(column string) float64 { f, _ := r[column].(float64); return f }

// ask runs a query and returns its rows. sql must have no macros and variables.
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
		return nil, fmt.Errorf("query failed: %s", data)
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

// all returns the queries of all dashboards.
var all = sync.OnceValues(panels.All)

// see returns the rows that a panel shows.
func (d database) see(t *testing.T, board, title string, v dashboards.View) []row {
	t.Helper()
	queries, err := all()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
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
