package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"hooktape/cmd/embedded-clickhouse/internal/chhttp"
	"hooktape/cmd/embedded-clickhouse/internal/fetch"
	"hooktape/cmd/embedded-clickhouse/internal/libchdb"
)

// patience is how long a stopping server lets running statements finish; then it cancels them.
const patience = 5 * time.Second

type serveCommand struct {
	Path          string     `default:"data/clickhouse" help:"Directory of the data." placeholder:"DIR"`
	Listen        string     `default:"127.0.0.1:8123" help:"Address to listen on."`
	Password      string     `env:"HOOKTAPE_EMBEDDED_PASSWORD" help:"Password of the user \"default\"; empty: none is asked."`
	Library       string     `env:"CHDB_LIB_PATH" help:"The engine, if not the one that fetch keeps." placeholder:"FILE"`
	Temporary     bool       `help:"Keep the data in a new directory that is removed at the end, instead of --path."`
	ExitWithStdin bool       `help:"Stop when standard input ends, so as not to outlive the process that started this one."`
	LogLevel      slog.Level `default:"info" help:"Least level of what is logged: debug, info, warn or error."`
}

// Run serves until the context ends. It starts things in the order in which they can go wrong for the user, the cheap first,
// and stops them in the opposite one.
func (c *serveCommand) Run(ctx context.Context, std streams) error {
	log := slog.New(slog.NewTextHandler(std.stderr, &slog.HandlerOptions{Level: c.LogLevel}))
	path, err := filepath.Abs(c.Path)
	if c.Temporary {
		path, err = os.MkdirTemp("", "embedded-clickhouse-")
		defer os.RemoveAll(path)
	}
	if err != nil {
		return err
	}
	unlock, err := lockDirectory(ctx, path, lockPatience)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := c.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	engine, err := c.startEngine(path)
	if err != nil {
		return err
	}
	handler := &chhttp.Server{Engine: engine, Password: c.Password, TempDir: path, Log: log}
	if err := handler.Init(); err != nil {
		return err
	}
	if c.ExitWithStdin {
		ctx = untilEnd(ctx, std.stdin)
	}
	fmt.Fprintf(std.stdout, "listening on http://%s\n", listener.Addr())
	return serve(ctx, listener, handler, engine, log)
}

// listen opens the port. Without a password only this machine may reach it.
func (c *serveCommand) listen() (net.Listener, error) {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return nil, fmt.Errorf("--listen %q is no address: give one like 127.0.0.1:8123", c.Listen)
	}
	addr, err := netip.ParseAddr(host)
	if loopback := host == "localhost" || err == nil && addr.IsLoopback(); !loopback && c.Password == "" {
		return nil, fmt.Errorf("--listen %s would open the database to the network without a password: "+
			"set HOOKTAPE_EMBEDDED_PASSWORD or listen on 127.0.0.1", c.Listen)
	}
	listener, err := net.Listen("tcp", c.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: stop it or choose another address with --listen", c.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", c.Listen, err)
	}
	return listener, nil
}

func (c *serveCommand) startEngine(path string) (*libchdb.Engine, error) {
	file := c.Library
	if file == "" {
		var err error
		if file, err = fetch.LibraryPath(); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("the engine is not there (%s): run make engine, or embedded-clickhouse fetch", file)
	}
	library, err := libchdb.Load(file)
	if err != nil {
		return nil, fmt.Errorf("the engine %s is damaged or made for another system: run embedded-clickhouse fetch --force (%w)",
			file, err)
	}
	engine, err := library.Start(path)
	if err != nil {
		return nil, fmt.Errorf("%w: is the data there of a newer version, the disk full, or the directory not yours?", err)
	}
	return engine, nil
}

// serve answers requests until the context ends, and stops in order:
//  1. take no new connections, let running statements finish for a while;
//  2. cancel those that go on;
//  3. close the engine, unless a statement cannot be cancelled: acknowledged data is safe without.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, engine *libchdb.Engine, log *slog.Logger) error {
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

// untilEnd ends the context also when the reader does.
func untilEnd(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		io.Copy(io.Discard, r)
	}()
	return ctx
}
