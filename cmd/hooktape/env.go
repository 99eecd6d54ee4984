package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"hooktape/internal/config"
	"hooktape/internal/store"
	"hooktape/otel"
)

// commonFlags are the flags of every command. Each may also be given by its environment variable; a flag wins over the
// environment, which wins over the configuration file.
type commonFlags struct {
	Config        string `env:"HOOKTAPE_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (default: hooktape.yaml in the data directory)."`
	Data          string `env:"HOOKTAPE_DATA" type:"path" default:"./data" placeholder:"DIR" help:"Directory of the spools, the embedded engine's files and the first configuration."`
	IngestAddr    string `env:"HOOKTAPE_INGEST_ADDR" placeholder:"HOST:PORT" help:"Address of the listener for webhooks (default: 127.0.0.1:8080)."`
	APIAddr       string `name:"api-addr" env:"HOOKTAPE_API_ADDR" placeholder:"HOST:PORT" help:"Address of the console and the API (default: 127.0.0.1:8081)."`
	OpsAddr       string `env:"HOOKTAPE_OPS_ADDR" placeholder:"HOST:PORT" help:"Address of metrics (/metrics) and profiles (/debug/pprof); off unless set."`
	ClickhouseDSN string `name:"clickhouse-dsn" env:"HOOKTAPE_CLICKHOUSE_DSN" placeholder:"DSN" help:"ClickHouse to use, as clickhouse://user:password@host:9000/hooktape (default: the embedded engine)."`
	EmbeddedAddr  string `env:"HOOKTAPE_EMBEDDED_ADDR" placeholder:"HOST:PORT" help:"Address of the embedded engine (default: 127.0.0.1:8123)."`
	APIURL        string `name:"api-url" env:"HOOKTAPE_API_URL" placeholder:"URL" help:"Use the API of a running hooktape, such as http://127.0.0.1:8081, instead of the database (events, deliveries, replay, endpoints)."`
	APITokenFile  string `name:"api-token-file" env:"HOOKTAPE_API_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token for --api-url (default: $HOOKTAPE_API_TOKEN, else the configuration's first token)."`
	LogFormat     string `env:"HOOKTAPE_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json."`
}

// env is the environment of a command.
type env struct {
	ctx    context.Context
	flags  commonFlags
	stdout io.Writer
	stderr io.Writer
	log    *slog.Logger
}

// exitCode is an error that only sets the process's exit code.
type exitCode int

const (
	exitFailed = exitCode(2)   // the command has worked, and its result is a failure
	exitLeft   = exitCode(130) // Ctrl-C
)

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

// newLogger returns the log: lines on w and, once telemetry is set up, to a collector if there is one.
func newLogger(format string, w io.Writer) *slog.Logger {
	if format == "json" {
		return otel.NewLogger(slog.NewJSONHandler(w, nil))
	}
	return otel.NewLogger(slog.NewTextHandler(w, nil))
}

// data is the data directory.
func (e *env) data() config.DataDir { return config.DataDir(e.flags.Data) }

// file is the configuration file, with what flags and environment set over it.
func (e *env) file() config.File {
	return config.File{
		Path: cmp.Or(e.flags.Config, e.data().ConfigFile()),
		Data: e.data(),
		Overrides: config.Overrides{
			IngestAddr:    e.flags.IngestAddr,
			APIAddr:       e.flags.APIAddr,
			OpsAddr:       e.flags.OpsAddr,
			ClickHouseDSN: e.flags.ClickhouseDSN,
			EmbeddedAddr:  e.flags.EmbeddedAddr,
		},
	}
}

// config reads the configuration.
func (e *env) config() (*config.Config, error) {
	cfg, _, err := e.file().Load()
	return cfg, err
}

// usesEngine reports whether there is a configuration, and ClickHouse is the embedded engine by it.
func (e *env) usesEngine() bool {
	cfg, err := e.config()
	return err == nil && cfg.UsesEngine()
}

// openStore opens the store that the configuration names, whatever tables it has.
func (e *env) openStore() (*store.Store, *config.Config, error) {
	cfg, err := e.config()
	if err != nil {
		return nil, nil, err
	}
	db, err := cfg.OpenStore()
	return db, cfg, err
}

// tablesTimeout is how long a command waits for the next migration of another process.
const tablesTimeout = 30 * time.Second

// openTables opens the store for a command that needs the tables of this version. Just after a start they may not exist
// yet: then it prints that it waits, and fails when the migrations make no progress.
func (e *env) openTables() (*store.Store, *config.Config, error) {
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

// awaitFirstTables is awaitTables for a command that can use the tables of an earlier version too: it waits only if
// there are none.
func (e *env) awaitFirstTables(db *store.Store) error {
	if s, err := db.SchemaNow(e.ctx); err != nil || s.At > 0 {
		return nil // the command reports the error
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
			return nil // the command reports the error
		}
		if s.At != at {
			at, moved = s.At, time.Now()
		}
		if time.Since(moved) > tablesTimeout {
			return fmt.Errorf("the tables are at version %d, and this program needs %d: run `hooktape migrate`, or "+
				"see the log of `hooktape serve`", s.At, s.Known)
		}
		if !said {
			fmt.Fprintf(e.stderr,
				"hooktape: the tables are not ready (version %d of %d); waiting for hooktape to finish its start\n",
				s.At, s.Known)
			said = true
		}
		select {
		case <-tick.C:
		case <-e.ctx.Done():
			return e.ctx.Err()
		}
	}
}
