package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hooktape/cmd/embedded-clickhouse/internal/chhttp"
	"hooktape/cmd/embedded-clickhouse/internal/fetch"
	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// patience is the time that a stopping server gives running statements to finish before it cancels them.
const patience = 5 * time.Second

type serveCommand struct {
	Path           string     `default:"data/clickhouse" help:"Directory of the data." placeholder:"DIR"`
	Listen         string     `default:"127.0.0.1:8123" help:"Address to listen on."`
	Databases      []string   `default:"hooktape,hooktape_*" help:"Databases that may be used; NAME* matches all names with that prefix." placeholder:"NAME"`
	Password       string     `env:"HOOKTAPE_EMBEDDED_PASSWORD" help:"Password of the user \"default\", who reads and writes (default: the one in embedded-password beside --path, random at the first start)."`
	ReaderPassword string     `env:"HOOKTAPE_EMBEDDED_READER_PASSWORD" help:"Password of the user \"reader\", who only reads (default: the one in embedded-reader-password beside --path)."`
	Library        string     `env:"CHDB_LIB_PATH" help:"The engine, if not the one that fetch keeps." placeholder:"FILE"`
	Temporary      bool       `help:"Keep the data in a new directory that is removed at the end, instead of --path."`
	ExitWithStdin  bool       `help:"Stop when standard input ends, and so with the parent process."`
	LogLevel       slog.Level `default:"info" help:"Least level of logged lines: debug, info, warn or error."`
	// For tests: without one of the two fences.
	Unconfined bool `hidden:"" env:"HOOKTAPE_EMBEDDED_UNCONFINED"`
	Unjudged   bool `hidden:"" env:"HOOKTAPE_EMBEDDED_UNJUDGED"`
}

// Run serves until the context ends. It starts first what is cheap and likely to fail for the user, and stops in the
// opposite order.
//
// To confine the process it starts this program again in the same process, before it loads the engine. Everything
// before that happens in the first run (see acquire), everything else in the second.
func (c *serveCommand) Run(ctx context.Context, std streams) error {
	log := slog.New(slog.NewTextHandler(std.stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	own, err := adopt()
	if err == nil && own == nil {
		own, err = c.acquire(ctx)
		if err == nil {
			err = c.confine(own, std.stderr)
		}
	}
	defer own.Close()
	if err != nil {
		return err
	}
	if !c.Unconfined {
		if err := forbidCalls(); err != nil {
			fmt.Fprintf(std.stderr,
				"embedded-clickhouse: warning: this system lacks seccomp (%v): only the checks of statements keep "+
					"the engine from the network\n", err)
		}
	}
	engine, err := c.startEngine(own)
	if err != nil {
		return err
	}
	if c.Unjudged {
		fmt.Fprintln(std.stderr,
			"embedded-clickhouse: WARNING: HOOKTAPE_EMBEDDED_UNJUDGED is set: statements are not checked")
	}
	handler := &chhttp.Server{Engine: engine, Password: own.Password, ReaderPassword: own.ReaderPassword,
		Unjudged: c.Unjudged, TempDir: own.Path, Log: log}
	if err := handler.Init(); err != nil {
		return err
	}
	if c.ExitWithStdin {
		ctx = untilEnd(ctx, std.stdin)
	}
	fmt.Fprintf(std.stdout, "listening on http://%s\n", own.listener.Addr())
	return serve(ctx, own.listener, handler, engine, log)
}

// confine removes every right from this process that the engine does not need. It prints a warning if it cannot or may
// not.
func (c *serveCommand) confine(own *resources, stderr io.Writer) error {
	if c.Unconfined {
		fmt.Fprintln(stderr,
			"embedded-clickhouse: WARNING: HOOKTAPE_EMBEDDED_UNCONFINED is set: nothing keeps the engine from files, "+
				"programs and networks but the checks of statements")
		return nil
	}
	lacks, err := own.reexec()
	if err != nil {
		return fmt.Errorf("confine the engine: %w", err)
	}
	fmt.Fprintf(stderr,
		"embedded-clickhouse: warning: this system lacks %s: only the checks of statements keep the engine from the "+
			"files of this user\n", lacks)
	return nil
}

// listen opens the port.
func (c *serveCommand) listen() (net.Listener, error) {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return nil, fmt.Errorf("the address to listen on %q is no address: use one like 127.0.0.1:8123", c.Listen)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: stop it or choose another address "+
			"(--listen; for hooktape, --embedded-addr or embedded.addr in its configuration)", c.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return listener, nil
}

// library returns the file of the engine.
func (c *serveCommand) library() (string, error) {
	file := c.Library
	if file == "" {
		var err error
		if file, err = fetch.LibraryPath(); err != nil {
			return "", err
		}
	}
	if _, err := os.Stat(file); err != nil {
		return "", fmt.Errorf("the engine is not there (%s): run make engine, or embedded-clickhouse fetch", file)
	}
	return filepath.Abs(file)
}

func (c *serveCommand) startEngine(own *resources) (*libchdb.Engine, error) {
	library, err := libchdb.Load(own.Library)
	if err != nil {
		return nil, fmt.Errorf("the engine %s is damaged or made for another system: run embedded-clickhouse fetch "+
			"--force (%w)",
			own.Library, err)
	}
	engine, err := library.Start(own.Path, c.Databases)
	if err != nil {
		return nil, fmt.Errorf("%w: is the data there of a newer version, the disk full, or the directory not yours?",
			err)
	}
	return engine, nil
}

// serve answers requests until the context ends, and stops in order:
//  1. take no new connections, let running statements finish for a while;
//  2. cancel those that go on;
//  3. close the engine, unless a statement cannot be cancelled: acknowledged data is safe without.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, engine *libchdb.Engine,
	log *slog.Logger) error {
	base, cancelStatements := context.WithCancel(context.Background())
	defer cancelStatements()
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	if shutdown(server, patience) != nil {
		cancelStatements()
		if shutdown(server, patience) != nil {
			log.Warn("a statement could not be cancelled; leaving without it")
			return nil
		}
	}
	engine.Close()
	return nil
}

func shutdown(server *http.Server, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return server.Shutdown(ctx)
}

// untilEnd returns a context that also ends when the reader does.
func untilEnd(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		io.Copy(io.Discard, r)
	}()
	return ctx
}
