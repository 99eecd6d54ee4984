package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/pressly/goose/v3"
)

var (
	createTable = regexp.MustCompile(`(?s)^CREATE TABLE IF NOT EXISTS (\w+)(\n\(.*\n\)\n)ENGINE = (Replacing|Aggregating)?MergeTree(?:\((\w+)\))?\n(.*)$`)
	createMV    = regexp.MustCompile(`(?s)^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+) AS\n([^;]*\n)FROM (\w+)\n(.*)$`)
	createView  = regexp.MustCompile(`(?s)^CREATE OR REPLACE VIEW (\w+) AS\n(.*)$`)
	alterTable  = regexp.MustCompile(`(?s)^ALTER TABLE (\w+)(\s.*)$`)
	alteration  = regexp.MustCompile(`(?m)(?:^\s*|,\s+)((?:ADD|ALTER|ATTACH|CLEAR|COMMENT|DELETE|DETACH|DROP|MATERIALIZE|MODIFY|MOVE|REMOVE|RENAME|REPLACE|RESET|UPDATE) [A-Z]+)\b`)
)

// alterations are the kinds of change that migrations make to a table. The value says whether the Distributed table
// needs the change too.
var alterations = map[string]bool{"ADD COLUMN": true, "MODIFY COLUMN": true, "MATERIALIZE COLUMN": false}

// spread turns a migration's statement into statements that do the same on every server of the cluster. An unknown
// form of statement is an error: its author extends spread.
func (c cluster) spread(statement string) ([]string, error) {
	if m := createTable.FindStringSubmatch(statement); m != nil {
		return c.spreadTable(m[1], m[2], m[3], m[4], m[5])
	}
	if m := createMV.FindStringSubmatch(statement); m != nil {
		// The view reads inserts into the server's own table and writes to another one of this server.
		return []string{fmt.Sprintf("CREATE MATERIALIZED VIEW IF NOT EXISTS %s %s TO %s AS\n%sFROM %s\n%s",
			c.table(m[1]), c.on(), c.table(m[2]+ownTable), m[3], c.table(m[4]+ownTable), m[5])}, nil
	}
	if m := createView.FindStringSubmatch(statement); m != nil {
		return []string{fmt.Sprintf("CREATE OR REPLACE VIEW %s %s AS\n%s", c.table(m[1]), c.on(), m[2])}, nil
	}
	if m := alterTable.FindStringSubmatch(statement); m != nil {
		return c.spreadAlter(m[1], m[2])
	}
	return nil, fmt.Errorf("unknown statement for a cluster: %s", head(statement, 60))
}

// spreadTable writes the path in Keeper in full, without {uuid}: a server that is added later then joins its shard
// with the text of SHOW CREATE TABLE.
func (c cluster) spreadTable(name, columns, replacing, version, rest string) ([]string, error) {
	key, ok := shardedBy[name]
	if !ok {
		return nil, fmt.Errorf("the table %s has no sharding key", name)
	}
	arguments := quoteText("/clickhouse/tables/{shard}/"+c.database+"/"+name) + ", '{replica}'"
	if version != "" {
		arguments += ", " + version
	}
	// The number of remembered tokens is that of a single server; the default would also forget them after an hour.
	rest = strings.ReplaceAll(rest, "non_replicated_deduplication_window = 10000",
		"replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800")
	return []string{
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s %s%sENGINE = Replicated%sMergeTree(%s)\n%s", c.table(name+ownTable),
			c.on(), columns, replacing, arguments, rest),
		fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s %s AS %s\nENGINE = Distributed(%s, %s, %s, cityHash64(%s))",
			c.table(name), c.on(), c.table(name+ownTable), quoteText(c.name), quoteText(c.database),
			quoteText(name+ownTable), key),
	}, nil
}

// spreadAlter accepts changes of one kind only: all change the Distributed table too, or none.
func (c cluster) spreadAlter(name, changes string) ([]string, error) {
	found := alteration.FindAllStringSubmatch(changes, -1)
	if len(found) == 0 {
		return nil, fmt.Errorf("unknown change for a cluster: ALTER TABLE %s%s", name, head(changes, 40))
	}
	columns := alterations[found[0][1]]
	for _, m := range found {
		if both, known := alterations[m[1]]; !known || both != columns {
			return nil, fmt.Errorf("unknown change for a cluster, or for one statement: ALTER TABLE %s %s", name, m[1])
		}
	}
	statements := []string{"ALTER TABLE " + c.altered(name) + changes}
	if columns {
		statements = append(statements, "ALTER TABLE "+c.table(name)+" "+c.on()+changes)
	}
	return statements, nil
}

// migrations returns the migrations of the files in a form that runs on every server of the cluster.
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
		all = append(all, goose.NewGoMigration(version, &goose.GoFunc{RunDB: func(ctx context.Context,
			db *sql.DB) error {
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

// spreadFile spreads the single statement of a migration's file.
func (c cluster) spreadFile(files fs.FS, name string) ([]string, error) {
	text, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, err
	}
	_, statement, found := strings.Cut(string(text), "-- +goose Up\n")
	for strings.HasPrefix(statement, "--") { // comments before the statement
		_, statement, _ = strings.Cut(statement, "\n")
	}
	statement = strings.TrimSuffix(strings.TrimSpace(statement), ";")
	if !found || statement == "" || strings.Contains(statement, ";\n") {
		return nil, errors.New("want one statement after -- +goose Up")
	}
	return c.spread(statement)
}
