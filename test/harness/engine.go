package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"hooktape/internal/store"
	"hooktape/internal/testutil"
)

// startPatience is how long a process may take to answer. A loaded machine needs some seconds.
const startPatience = time.Minute

// Engine is the embedded ClickHouse.
type Engine struct {
	*Process
	harness *Harness
	dir     string
	addr    string
}

// NewEngine starts an engine with a data directory of its own.
func (r *Harness) NewEngine(ctx context.Context) (*Engine, error) {
	dir, err := r.NewDir("engine")
	if err != nil {
		return nil, err
	}
	return r.NewEngineIn(ctx, dir)
}

// NewDatabase starts an engine with all tables in it, so that no run has to wait for them, and returns their DSN.
func (r *Harness) NewDatabase(ctx context.Context) (*Engine, string, error) {
	e, err := r.NewEngine(ctx)
	if err != nil {
		return nil, "", err
	}
	return e, e.DSN("hooktape"), Migrate(ctx, e.DSN("hooktape"))
}

// Migrate makes the tables.
func Migrate(ctx context.Context, dsn string) error {
	db, err := store.Open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Migrate(ctx)
	return err
}

// NewEngineIn starts an engine over a directory.
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

// Start starts the engine again after Kill, over the same data and at the same address. It returns when it answers.
func (e *Engine) Start(ctx context.Context) error {
	p, err := e.harness.start(e.dir+".log", filepath.Join(e.harness.bin, "embedded-clickhouse"), "serve", "--exit-with-stdin",
		"--path", e.dir, "--listen", e.addr, "--databases", "hooktape*,plain", "--password", enginePassword)
	if err != nil {
		return err
	}
	e.Process = p
	return e.awaitAnswer(ctx, e.addr, "/ping")
}

// DSN is the data source name of one of the engine's databases, which need not exist.
func (e *Engine) DSN(database string) string {
	return "http://default:" + enginePassword + "@" + e.addr + "/" + database
}

// enginePassword is no secret: the engine holds made-up events, and goes when the program does.
const enginePassword = "password-of-the-harness"

// Rest waits until the engine has merged what it was given, and has next to nothing to do.
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
