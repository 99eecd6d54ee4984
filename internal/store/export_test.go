package store

import (
	"context"
	"io/fs"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// MigrateUpTo is Migrate as a program does that knows no later version.
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

// Spread are the statements of a migration, or of the text of one, on a cluster.
func Spread(name, database string, files fs.FS, file string) ([]string, error) {
	return cluster{name, database}.spreadFile(files, file)
}

// TextTerms are the conditions that a text makes.
func TextTerms(text string) []string {
	c := &conditions{}
	if c.addText(text); c.terms[0] == "false" {
		return nil
	}
	return c.terms
}
