package main

import (
	"fmt"
	"time"

	"hooktape/internal/store"
)

// tablesPatience is how long a command waits for the next step of migrations that run elsewhere.
const tablesPatience = 30 * time.Second

// openTables opens the store for a command that needs the tables as this program knows them. Just after a start they may still
// be on their way: it waits, says so, and fails when nothing moves any more.
func (e *env) openTables() (*store.Store, *config, error) {
	db, cfg, err := e.openStore()
	if err != nil {
		return nil, nil, err
	}
	if err := e.awaitTables(db); err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, cfg, nil
}

// awaitFirstTables is awaitTables for a command that does with the tables of an earlier version as well: it waits only where there are none yet.
func (e *env) awaitFirstTables(db *store.Store) error {
	if s, err := db.SchemaNow(e.ctx); err != nil || s.At > 0 {
		return nil // the command itself says what is wrong
	}
	return e.awaitTables(db)
}

func (e *env) awaitTables(db *store.Store) error {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	said, at, moved := false, int64(-1), time.Now()
	for {
		s, err := db.SchemaNow(e.ctx)
		if s.TooOld {
			return s.Err()
		}
		if err != nil || s.At >= s.Known {
			return nil // the command itself says what is wrong
		}
		if s.At != at {
			at, moved = s.At, time.Now()
		}
		if time.Since(moved) > tablesPatience {
			return fmt.Errorf("the tables are at version %d, and this program needs %d: run `hooktape migrate`, or see the log of `hooktape serve`", s.At, s.Known)
		}
		if !said {
			fmt.Fprintf(e.stderr, "hooktape: the tables are not ready (version %d of %d); waiting for hooktape to finish its start\n", s.At, s.Known)
			said = true
		}
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return e.ctx.Err()
		}
	}
}
