package store

import (
	"context"
	"io/fs"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// NextStep is nextStep.
var NextStep = nextStep

// MigrateUpTo migrates as a program that knows no later version than this one.
func (s *Store) MigrateUpTo(ctx context.Context, version int64) error {
	if err := s.createDatabase(ctx); err != nil {
		return err
	}
	if err := s.checkLayout(ctx); err != nil {
		return err
	}
	db := clickhouse.OpenDB(&s.options)
	defer db.Close()
	provider, err := s.newProvider(db)
	if err == nil {
		_, err = provider.UpTo(ctx, version)
	}
	return err
}

// RefusedAt makes the server refuse a query of several panels at a time.
func (s *Store) RefusedAt(at time.Time) { s.apart.Store(&at) }

// Spread returns the statements of a migration, or of the text of one, for a cluster.
func Spread(name, database string, files fs.FS, file string) ([]string, error) {
	return cluster{name, database}.spreadFile(files, file)
}

// TextTerms returns the conditions for a search text.
func TextTerms(text string) []string {
	c := &conditions{}
	if c.addText(text); c.terms[0] == "false" {
		return nil
	}
	return c.terms
}
