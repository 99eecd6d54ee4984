package main

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"hooktape/internal/testutil/enginetest"
)

// TestConcurrentMigrations verifies that processes that start together on an empty database all succeed, with the
// result of a single one. goose has no lock for ClickHouse, so each process applies all migrations that it finds
// missing, some several times. That is safe because each migration is one repeatable statement (store's
// TestMigrationsRepeat).
func TestConcurrentMigrations(t *testing.T) {
	t.Parallel()
	i := newInstance(t, enginetest.Start(t).DSN("hooktape"))
	writeConfig(t, i)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if r := i.resultOf(i.program("migrate"), ""); r.code != 0 {
				t.Errorf("exit code %d: %s", r.code, r.err)
			}
		})
	}
	all.Wait()
	if said := i.cli("migrate"); !strings.Contains(said, "nothing to do") {
		t.Errorf("a later migrate printed %q", said)
	}
	i.eventually("background mutations are done", func() error {
		if left := i.query("SELECT command, latest_fail_reason FROM system.mutations WHERE database = 'hooktape' AND " +
			"NOT is_done"); left != "" {
			return errors.New(left)
		}
		return nil
	})
	const schema = "SELECT name, create_table_query FROM system.tables WHERE database = 'hooktape' ORDER BY name"
	many := i.query(schema)
	i.query("DROP DATABASE hooktape SYNC")
	i.cli("migrate")
	if alone := i.query(schema); many != alone || strings.Count(alone, "CREATE ") < 10 {
		t.Errorf("schema after concurrent migrations:\n%s\nafter a single one:\n%s", many, alone)
	}
}
