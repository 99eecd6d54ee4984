package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/store"
)

type migrateCmd struct {
	Rebuild string `placeholder:"NAME" help:"Then make a projection of the events anew (visits or newcomers: what the dashboards read). Webhooks are taken meanwhile; on ten million events it takes some seconds."`
}

// Run migrates once and says what was done.
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
	changes, err := db.ApplyRetention(e.ctx, cfg.retention())
	for _, c := range changes {
		fmt.Fprintf(e.stdout, "database %s: %s are kept %s; before it was %s\n", db.Database(), c.What, c.After, c.Before)
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
	fmt.Fprintf(e.stdout, "database %s: %s made anew within %v\n", db.Database(), c.Rebuild, time.Since(begun).Round(100*time.Millisecond))
	return nil
}

const migratePoll = 500 * time.Millisecond

// migrate brings the tables up to date as soon as ClickHouse answers and lets us in, however long that takes: webhooks
// wait on disk meanwhile. A process that takes none ends when it is not let in, and any when it is older than the tables, or
// they are not those of the cluster that is configured.
func (p *process) migrate(ctx context.Context, engineUp <-chan struct{}) error {
	select {
	case <-engineUp:
	case <-ctx.Done():
		return nil
	}
	quiet := rate.Sometimes{First: 1, Interval: time.Minute}
	for {
		_, err := p.db.Migrate(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			p.applyRetention(ctx)
			close(p.migrated)
			return nil
		case errors.Is(err, store.ErrNewerSchema), errors.Is(err, store.ErrOlderSchema), errors.Is(err, store.ErrOtherLayout), errors.Is(err, store.ErrUnauthorized) && !p.parts.ingest:
			return err
		}
		quiet.Do(func() { p.log.Error("ClickHouse cannot be used yet; what is to be stored waits on disk", "error", err) })
		if !pause(ctx, migratePoll) {
			return nil
		}
	}
}
