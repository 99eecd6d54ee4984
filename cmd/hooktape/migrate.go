package main

import (
	"fmt"
	"time"
)

type migrateCmd struct {
	Rebuild string `placeholder:"NAME" help:"Then make a projection of the events anew (visits or newcomers: what the dashboards read). Webhooks are taken meanwhile; on ten million events it takes some seconds."`
}

// Run migrates the tables and prints what changed.
func (c migrateCmd) Run(e *env) error {
	db, cfg, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	applied, err := db.Migrate(e.ctx)
	if err != nil {
		return err
	}
	changes, err := db.ApplyRetention(e.ctx, cfg.StoreRetention())
	for _, c := range changes {
		fmt.Fprintf(e.stdout, "database %s: %s are kept %s; before it was %s\n", db.Database(), c.What, c.After,
			c.Before)
	}
	if err != nil {
		return err
	}
	switch {
	case applied > 0:
		fmt.Fprintf(e.stdout, "database %s: %d migrations applied\n", db.Database(), applied)
	case c.Rebuild == "" && len(changes) == 0:
		fmt.Fprintf(e.stdout, "database %s: nothing to do, its tables are up to date\n", db.Database())
	}
	if c.Rebuild == "" {
		return nil
	}
	begun := time.Now()
	if err := db.Rebuild(e.ctx, c.Rebuild); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "database %s: %s made anew within %v\n", db.Database(), c.Rebuild,
		time.Since(begun).Round(100*time.Millisecond))
	return nil
}
