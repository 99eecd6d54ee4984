package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewerSchema: the database was migrated by a newer hooktape than this one.
var ErrNewerSchema = errors.New("the database's schema is newer than this program")

// Migrate creates the database and brings its tables to this program's version; there is no way back. It is safe to run
// again, and from several processes at once: goose has no lock for ClickHouse, so that each of them does what it finds
// missing, and therefore each migration is one statement that does nothing where its work is done.
func (s *Store) Migrate(ctx context.Context) (applied int, err error) {
	if err := s.createDatabase(ctx); err != nil {
		return 0, err
	}
	db := clickhouse.OpenDB(s.options)
	defer db.Close()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return 0, err
	}
	provider, err := goose.NewProvider(goose.DialectClickHouse, db, files)
	if err != nil {
		return 0, fmt.Errorf("migrations: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return 0, explain("read the schema's version", err)
	}
	if current > known {
		return 0, fmt.Errorf("%w: it is at %d, this program knows %d; install the newer hooktape", ErrNewerSchema, current, known)
	}
	results, err := provider.Up(ctx)
	if err != nil {
		return len(results), explain("migrate", err)
	}
	return len(results), nil
}

// createDatabase speaks to the server without naming the database, for a session in one that is not there fails.
func (s *Store) createDatabase(ctx context.Context) error {
	options := *s.options
	options.Auth.Database = ""
	conn, err := clickhouse.Open(&options)
	if err != nil {
		return err
	}
	defer conn.Close()
	return explain("create database", conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quoteName(s.Database())))
}
