package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// SavedView is a selection of events with a name.
type SavedView struct {
	Name  string    `json:"name" doc:"Its name."`
	Query string    `json:"query" doc:"Its filters, as the query of GET /events." example:"step=paid&since=24h"`
	By    string    `json:"by" doc:"Who saved it last."`
	At    time.Time `json:"at" doc:"When."`
}

// SavedViews returns all views, by name.
func (s *Store) SavedViews(ctx context.Context) ([]SavedView, error) {
	return collect(ctx, s.conn, "read saved views",
		"SELECT name, query, saved_by, saved_at FROM saved_views FINAL WHERE NOT deleted ORDER BY lower(name), name",
		nil, func(rows driver.Rows, v *SavedView) error { return rows.Scan(&v.Name, &v.Query, &v.By, &v.At) })
}

// SaveView saves a view, or replaces the one with its name.
func (s *Store) SaveView(ctx context.Context, v SavedView) error { return s.writeView(ctx, v, false) }

// DeleteView deletes the view with a name, if there is one.
func (s *Store) DeleteView(ctx context.Context, name, by string) error {
	return s.writeView(ctx, SavedView{Name: name, By: by}, true)
}

// writeView adds a version after the last one.
func (s *Store) writeView(ctx context.Context, v SavedView, deleted bool) error {
	c := &conditions{}
	name := c.bind("String", v.Name)
	sql := "INSERT INTO saved_views (name, query, deleted, saved_by, version) SELECT " + name + ", " +
		c.bind("String", v.Query) + ", " + c.bind("Bool", deleted) + ", " + c.bind("String", v.By) +
		", max(version) + 1 FROM saved_views WHERE name = " + name
	return explain("save view", s.conn.Exec(ctx, sql, c.args...))
}
