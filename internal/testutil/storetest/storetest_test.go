package storetest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/storetest"
)

// schema returns the CREATE statements of a database's tables, without the database's name.
func schema(t *testing.T, dsn string) (statements []string) {
	t.Helper()
	const query = "SELECT groupArray(replaceAll(create_table_query, currentDatabase() || '.', '')) FROM (SELECT " +
		"create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name)"
	if err := enginetest.Connect(t, dsn).QueryRow(context.Background(), query).Scan(&statements); err != nil {
		t.Fatal(err)
	}
	return statements
}

// TestCopy verifies that a copied database has exactly the tables that migrations create, and that all migrations are
// recorded as applied.
func TestCopy(t *testing.T) {
	migrated, copied := enginetest.DSN(t), storetest.DSN(t)
	for dsn, pending := range map[string]bool{migrated: true, copied: false} {
		s, err := store.Open(dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if applied, err := s.Migrate(t.Context()); err != nil || applied > 0 != pending {
			t.Errorf("%d migrations applied, %v; want some: %v", applied, err, pending)
		}
	}
	if want, got := schema(t, migrated), schema(t, copied); len(want) < 15 || !slices.Equal(got, want) {
		t.Errorf("the copy has\n%s\nand migrations create\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
