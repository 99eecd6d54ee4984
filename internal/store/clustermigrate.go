package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

// versions is goose's table of the migrations that were done.
const versions = "goose_db_version"

// versionsTable is goose's own statement (its dialect for ClickHouse) in the form of our migrations.
const versionsTable = `CREATE TABLE IF NOT EXISTS goose_db_version
(
    version_id Int64,
    is_applied UInt8,
    date       Date DEFAULT now(),
    tstamp     DateTime DEFAULT now()
)
ENGINE = MergeTree
ORDER BY version_id
`

// ErrOtherLayout: the tables are those of a cluster and none is configured, or the other way round.
var ErrOtherLayout = errors.New("the database's tables do not lie as the configuration says")

// checkLayout refuses tables that lie otherwise than configured: those of a single server would be filled there alone while
// everybody takes them for a cluster's; through those of a cluster an insert would only be queued. On a cluster it also
// makes the table of versions, so that goose, which would make one on this server alone, finds it.
func (s *Store) checkLayout(ctx context.Context) error {
	var engine string
	err := s.conn.QueryRow(ctx, "SELECT any(engine) FROM system.tables WHERE database = currentDatabase() AND name = "+quoteText(versions)).Scan(&engine)
	if err != nil {
		return explain("look how the tables lie", err)
	}
	spread := engine == "Distributed"
	switch {
	case s.cluster.one() && spread:
		return fmt.Errorf("%w: %s is a cluster's; set clickhouse.cluster to the cluster's name", ErrOtherLayout, s.Database())
	case !s.cluster.one() && engine != "" && !spread:
		return fmt.Errorf("%w: %s is a single server's; name a new database in the DSN, and bring the data there by backup and restore", ErrOtherLayout, s.Database())
	case s.cluster.one():
		return nil
	case !spread:
		if err := s.makeVersions(ctx); err != nil {
			return explain("make the table of versions", err)
		}
	}
	// What goose begins such a table with, and wants to find.
	return explain("fill the table of versions", s.conn.Exec(ctx, "INSERT INTO "+versions+" (version_id, is_applied) SELECT 0, 1 WHERE (SELECT count() FROM "+versions+") = 0"))
}

func (s *Store) makeVersions(ctx context.Context) error {
	statements, err := s.cluster.spread(versionsTable)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if err := s.conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// migrations are those in the files, done on every server of the cluster.
func (c cluster) migrations(files fs.FS) ([]*goose.Migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var all []*goose.Migration
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return nil, err
		}
		statements, err := c.spreadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, goose.NewGoMigration(version, &goose.GoFunc{RunDB: func(ctx context.Context, db *sql.DB) error {
			for _, statement := range statements {
				if _, err := db.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return nil
		}}, nil))
	}
	return all, nil
}

// spreadFile spreads the one statement of a migration's file.
func (c cluster) spreadFile(files fs.FS, name string) ([]string, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	_, statement, found := strings.Cut(string(text), "-- +goose Up\n")
	for strings.HasPrefix(statement, "--") { // what it is for, before it begins
		_, statement, _ = strings.Cut(statement, "\n")
	}
	statement = strings.TrimSuffix(strings.TrimSpace(statement), ";")
	if !found || statement == "" || strings.Contains(statement, ";\n") {
		return nil, errors.New("it is not one statement behind -- +goose Up")
	}
	return c.spread(statement)
}
