// Command embedded-clickhouse serves ClickHouse's HTTP interface over libchdb, the ClickHouse engine as a shared
// library: for a laptop and for tests, where no ClickHouse server is installed. It is a separate program because a C++
// engine can end the process that loads it, and because its users must be able to kill it and start it again.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"
)

type commandLine struct {
	Serve serveCommand `cmd:"" default:"withargs" help:"Serve ClickHouse's HTTP interface (the default)."`
	Fetch fetchCommand `cmd:"" help:"Fetch the engine into the cache, once."`
}

// The main goroutine keeps the process's first thread for itself. The engine looks up the stack of each thread that
// runs it. The C library finds that of the first thread only in /proc/self/maps, which a confined process cannot read.
func init() { runtime.LockOSThread() }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	done := make(chan error)
	go func() { done <- run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) }()
	err := <-done
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "embedded-clickhouse:", err)
		os.Exit(1)
	}
}

// streams are the process's standard streams.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var cli commandLine
	parser, err := kong.New(&cli, kong.Name("embedded-clickhouse"), kong.Writers(stdout, stderr),
		kong.Description("ClickHouse on a machine without ClickHouse."),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(streams{stdin, stdout, stderr}))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	return command.Run()
}
