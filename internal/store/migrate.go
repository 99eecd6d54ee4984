package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Errors of a database whose schema this program cannot bring to its own version.
var (
	ErrNewerSchema = errors.New("the database's schema is newer than this program")
	ErrOlderSchema = errors.New("the database's schema is too old for this program")
)

// Schema is the version of a database's tables.
type Schema struct {
	At     int64 // 0: there are no tables
	Known  int64 // the newest version that this program knows
	TooOld bool  // the tables are older than OldestSchema
}

// Err returns ErrNewerSchema or ErrOlderSchema, with what to do, for tables that Migrate cannot update.
func (s Schema) Err() error {
	switch {
	case s.At > s.Known:
		return fmt.Errorf("%w: it is at %d, this program knows %d; install the newer hooktape", ErrNewerSchema, s.At,
			s.Known)
	case s.TooOld:
		return fmt.Errorf("%w: it is at %d, this program updates from %d on; make a backup with the hooktape that "+
			"runs there (`hooktape backup DIR`), "+
			"and restore it into a new database with this one (`hooktape restore DIR`); docs/OPERATIONS.md, Upgrade, "+
			"has the steps", ErrOlderSchema, s.At, OldestSchema)
	}
	return nil
}

// OldestSchema is the oldest version that Migrate updates. The migrations up to it create the tables as they were in
// that version.
const OldestSchema = 35

// Migrate creates the database and updates its tables to this program's version; it never downgrades. It is safe to run
// again, and in several processes in parallel. Goose has no lock for ClickHouse, so each process applies all migrations
// that it finds missing; each migration is therefore one statement that has no effect the second time. Migrate returns
// ErrNewerSchema or ErrOlderSchema for tables that it cannot update.
func (s *Store) Migrate(ctx context.Context) (applied int, err error) {
	if err := s.createDatabase(ctx); err != nil {
		return 0, err
	}
	if err := s.checkLayout(ctx); err != nil {
		return 0, err
	}
	found, err := schemaOf(ctx, s.conn, quoteName(s.Database()))
	if err != nil {
		return 0, explain("read the schema's version", err)
	}
	if err := found.Err(); err != nil {
		return 0, err
	}
	db := clickhouse.OpenDB(&s.options)
	defer db.Close()
	provider, err := s.newProvider(db)
	if err != nil {
		return 0, err
	}
	// Another process may have renamed or dropped a table since this migration began: see reorderDeliveries.
	for range 5 {
		results, upErr := provider.Up(ctx)
		applied, err = applied+len(results), upErr
		if !hasCode(err, codeTableExists, codeUnknownTable, codeTableIsDropped, codeTableRenamed, codeTableReplaced) {
			break
		}
	}
	return applied, explain("migrate", err)
}

func (s *Store) newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	programs := []*goose.Migration{s.reordering()}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if !s.cluster.one() {
		spread, err := s.cluster.migrations(files)
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		files = nil
		programs = append(programs, spread...)
	}
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files,
		append(options, goose.WithGoMigrations(programs...))...)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return provider, nil
}

// KnownSchema returns the newest version of the tables that this program knows.
func KnownSchema() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("list the migrations: %w", err)
	}
	return goose.NumericComponent(names[len(names)-1])
}

func (s *Store) createDatabase(ctx context.Context) error {
	conn, err := s.withoutDatabase(0)
	if err != nil {
		return err
	}
	defer conn.Close()
	database := quoteName(s.Database())
	if s.cluster.one() {
		return explain("create database", conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+database))
	}
	// A statement ON CLUSTER waits for all servers. If the database exists, this must not wait for a server that is
	// down.
	var there uint64
	err = conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = "+quoteText(s.Database())).Scan(&there)
	if err == nil && there == 0 {
		err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+database+" "+s.cluster.on())
	}
	return explain("create database", err)
}

// withoutDatabase connects without a database, because a session in one that does not exist fails. silence raises the
// longest time in which the server may send nothing; 0 keeps it.
func (s *Store) withoutDatabase(silence time.Duration) (driver.Conn, error) {
	options := s.options
	options.Auth.Database = ""
	options.ReadTimeout = max(options.ReadTimeout, silence)
	return clickhouse.Open(&options)
}

// SchemaNow returns the version of the database's tables. It creates nothing.
func (s *Store) SchemaNow(ctx context.Context) (is Schema, err error) {
	conn, err := s.withoutDatabase(0)
	if err != nil {
		return is, err
	}
	defer conn.Close()
	is, err = schemaOf(ctx, conn, quoteName(s.Database()))
	return is, explain("read the schema's version", err)
}

func schemaOf(ctx context.Context, conn driver.Conn, database string) (is Schema, err error) {
	if is.Known, err = KnownSchema(); err != nil {
		return is, err
	}
	// Tables that are only partly created have no version 1, because no migration has that number.
	query := fmt.Sprintf("SELECT max(version_id), countIf(version_id = 1) > 0 AND max(version_id) < %d FROM %s.%s",
		OldestSchema, database, versions)
	err = conn.QueryRow(ctx, query).Scan(&is.At, &is.TooOld)
	if hasCode(err, codeUnknownTable, codeUnknownDatabase) {
		return is, nil
	}
	return is, err
}

// Projections are other orders of the table events. Queries use them without naming them.
var Projections = []string{"visits", "newcomers"}

// Rebuild computes a projection again from the table and returns when it is complete, which may take minutes. Queries
// continue, and read the table where the projection is missing; so do inserts.
func (s *Store) Rebuild(ctx context.Context, projection string) error {
	if !slices.Contains(Projections, projection) {
		return fmt.Errorf("unknown projection %q: want %s", projection, strings.Join(Projections, ", "))
	}
	ctx = with(ctx, clickhouse.Settings{"mutations_sync": 2, "distributed_ddl_task_timeout": int(patience.Seconds())})
	for _, step := range []string{"CLEAR", "MATERIALIZE"} {
		if err := s.patient.Exec(ctx, "ALTER TABLE "+s.cluster.altered("events")+" "+step+" PROJECTION "+
			projection); err != nil {
			return explain("rebuild "+projection, err)
		}
	}
	return nil
}
