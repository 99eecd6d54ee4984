package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/pressly/goose/v3"
)

const (
	byPosition = "deliveries_by_position" // the new table deliveries; migration 45 creates it
	byTime     = "deliveries_by_time"     // the old one, until all its rows are copied
)

// reorderedColumns are the columns of deliveries at migration 46.
const reorderedColumns = `replay_id, endpoint, event_received_at, event_position, event_id, state,
	attempts, next_at, status_code, error, updated_at, subscriber, created_at`

// reordering is migration 46: reorderDeliveries.
func (s *Store) reordering() *goose.Migration {
	return goose.NewGoMigration(46, &goose.GoFunc{RunDB: func(ctx context.Context, _ *sql.DB) error {
		return explain("order the deliveries by position", s.reorderDeliveries(ctx))
	}}, nil)
}

// reorderDeliveries fills deliveries_by_position and gives it the name of the table deliveries.
// It may run again after a crash at any point, in several processes in parallel, and while an older hooktape delivers.
// The old table is dropped only after all its rows were copied once more after the renaming; of two versions of a row
// the newer one counts, in whatever order they are copied. If two processes rename at the same time, ClickHouse
// refuses one of them, and Migrate starts over. Only an insert during the renaming may be lost; its delivery is then
// sent again, under its old Idempotency-Key.
func (s *Store) reorderDeliveries(ctx context.Context) error {
	keys, err := s.sortingKeys(ctx, "deliveries", byTime)
	if err != nil {
		return err
	}
	c := s.cluster
	table := func(name string) string { return c.table(c.own(name)) }
	on, old := "", table(byTime)
	if !c.one() {
		on = " " + c.on()
		old = fmt.Sprintf("cluster(%s, %s)", quoteText(c.name), old)
	}
	copied := fmt.Sprintf("INSERT INTO %%s (%[1]s, version) SELECT %[1]s, version FROM %%s", reorderedColumns)
	var statements []string
	switch {
	case strings.Contains(keys["deliveries"], "event_position"):
	case keys["deliveries"] != "":
		statements = []string{fmt.Sprintf(copied, byPosition, "deliveries"),
			"RENAME TABLE " + table("deliveries") + " TO " + table(byTime) + ", " + table(byPosition) + " TO " +
				table("deliveries") + on}
	default: // a crash interrupted the renaming
		statements = []string{"RENAME TABLE " + table(byPosition) + " TO " + table("deliveries") + on}
	}
	if len(statements) > 0 || keys[byTime] != "" {
		statements = append(statements, fmt.Sprintf(copied, "deliveries", old))
	}
	statements = append(statements, "DROP TABLE IF EXISTS "+table(byTime)+on,
		"DROP TABLE IF EXISTS "+table(byPosition)+on)
	if !c.one() {
		statements = append(statements, "DROP TABLE IF EXISTS "+c.table(byPosition)+on)
	}
	for _, statement := range statements {
		if err := s.patient.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// sortingKeys returns the sorting keys of the tables; "" for a table that does not exist.
func (s *Store) sortingKeys(ctx context.Context, tables ...string) (map[string]string, error) {
	keys := map[string]string{}
	for _, table := range tables {
		var key string
		err := s.conn.QueryRow(ctx,
			"SELECT any(sorting_key) FROM system.tables WHERE database = currentDatabase() AND name = "+
				quoteText(s.cluster.own(table))).Scan(&key)
		if err != nil {
			return nil, err
		}
		keys[table] = key
	}
	return keys, nil
}
