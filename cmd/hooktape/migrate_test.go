package main

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"hooktape/internal/testutil/enginetest"
)

// TestMigrateAtOnce: processes that start together on an empty database all succeed, and leave what one alone would have
// made. goose has no lock for ClickHouse, so each of them applies what it finds missing: several times the same. That is
// right because each migration is one statement that does nothing where its work is done (store's TestMigrationsRepeat).
func TestMigrateAtOnce(t *testing.T) {
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
		t.Errorf("afterwards migrate says %q", said)
	}
	i.eventually("what goes on in the background is done", func() error {
		if left := i.query("SELECT command, latest_fail_reason FROM system.mutations WHERE database = 'hooktape' AND NOT is_done"); left != "" {
			return errors.New(left)
		}
		return nil
	})
	const schema = "SELECT name, create_table_query FROM system.tables WHERE database = 'hooktape' ORDER BY name"
	many := i.query(schema)
	i.query("DROP DATABASE hooktape SYNC")
	i.cli("migrate")
	if alone := i.query(schema); many != alone || strings.Count(alone, "CREATE ") < 10 {
		t.Errorf("made by many:\n%s\nby one alone:\n%s", many, alone)
	}
}
