package harness

import (
	"context"
	"fmt"
	"os"
	"time"

	"hooktape/internal/store"
	"hooktape/internal/testutil"
)

// startPatience is the timeout of a process's start. A loaded machine needs some seconds.
const startPatience = 4 * time.Minute

// Engine is the embedded ClickHouse.
type Engine struct {
	*Process
	harness *Harness
	dir     string
	addr    string
}

// NewEngine starts an engine with its own data directory.
func (r *Harness) NewEngine(ctx context.Context) (*Engine, error) {
	dir, err := r.NewDir("engine")
	if err != nil {
		return nil, err
	}
	return r.NewEngineIn(ctx, dir)
}

// NewDatabase starts an engine that has all tables. It returns their DSN. The migrations run once per harness: each
// engine starts on a copy of the data directory that they created, which saves two seconds of processor time.
func (r *Harness) NewDatabase(ctx context.Context) (*Engine, string, error) {
	dir, err := r.NewDir("engine")
	if err != nil {
		return nil, "", err
	}
	return r.NewDatabaseIn(ctx, dir)
}

// NewDatabaseIn is NewDatabase with an empty data directory.
func (r *Harness) NewDatabaseIn(ctx context.Context, dir string) (*Engine, string, error) {
	if err := r.migrated(ctx); err != nil {
		return nil, "", err
	}
	if err := os.CopyFS(dir, os.DirFS(r.template)); err != nil {
		return nil, "", fmt.Errorf("copy the tables: %w", err)
	}
	e, err := r.NewEngineIn(ctx, dir)
	if err != nil {
		return nil, "", err
	}
	return e, e.DSN("hooktape"), nil
}

// migrated creates the data directory that NewDatabase copies.
func (r *Harness) migrated(ctx context.Context) error {
	r.migrating.Lock()
	defer r.migrating.Unlock()
	if r.template != "" {
		return nil
	}
	e, err := r.NewEngine(ctx)
	if err != nil {
		return err
	}
	if err := Migrate(ctx, e.DSN("hooktape")); err != nil {
		return err
	}
	if err := e.Stop(startPatience); err != nil {
		return err
	}
	r.template = e.dir
	return nil
}

// Migrate creates the tables.
func Migrate(ctx context.Context, dsn string) error {
	db, err := store.Open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Migrate(ctx)
	return err
}

// NewEngineIn starts an engine on a data directory.
func (r *Harness) NewEngineIn(ctx context.Context, dir string) (_ *Engine, err error) {
	e := &Engine{harness: r, dir: dir}
	if e.addr, err = testutil.FreeAddr(); err != nil {
		return nil, err
	}
	if err := e.Start(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Start restarts the engine after Kill, with the same data and address. It returns when the engine answers.
func (e *Engine) Start(ctx context.Context) error {
	program, err := e.harness.engine()
	if err != nil {
		return err
	}
	p, err := e.harness.start(e.dir+".log", program, "serve",
		"--exit-with-stdin", "--path", e.dir, "--listen", e.addr, "--databases", "hooktape*,plain", "--password",
		enginePassword)
	if err != nil {
		return err
	}
	e.Process = p
	return e.awaitAnswer(ctx, e.addr, "/ping")
}

// DSN returns the data source name of a database of the engine, which need not exist.
func (e *Engine) DSN(database string) string {
	return "http://default:" + enginePassword + "@" + e.addr + "/" + database
}

// enginePassword is no secret: the engine has only simulated events and ends with the program.
const enginePassword = "password-of-the-harness"

// Rest waits until the engine has finished its merges and is nearly idle.
func (e *Engine) Rest(ctx context.Context) error {
	const look = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	before, err := e.CPU()
	if err != nil {
		return err
	}
	for {
		if err := Pause(ctx, look); err != nil {
			return fmt.Errorf("waiting for the engine's merges: %w", err)
		}
		now, err := e.CPU()
		if err != nil || now-before < look/10 {
			return err
		}
		before = now
	}
}
