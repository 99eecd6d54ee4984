package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/spool"
	"hooktape/internal/store"
)

// cli is the whole command line. Every flag may also be given by its environment variable; a flag wins over the
// environment, which wins over the configuration file.
type cli struct {
	Config        string           `env:"HOOKTAPE_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (default: hooktape.yaml in the data directory)."`
	Data          string           `env:"HOOKTAPE_DATA" type:"path" default:"./data" placeholder:"DIR" help:"Directory of the spools, the embedded engine's files and the first configuration."`
	IngestAddr    string           `env:"HOOKTAPE_INGEST_ADDR" placeholder:"HOST:PORT" help:"Address of the listener for webhooks (default: 127.0.0.1:8080)."`
	APIAddr       string           `name:"api-addr" env:"HOOKTAPE_API_ADDR" placeholder:"HOST:PORT" help:"Address of the console and the API (default: 127.0.0.1:8081)."`
	OpsAddr       string           `env:"HOOKTAPE_OPS_ADDR" placeholder:"HOST:PORT" help:"Address of metrics (/metrics) and profiles (/debug/pprof); off unless set."`
	ClickhouseDSN string           `name:"clickhouse-dsn" env:"HOOKTAPE_CLICKHOUSE_DSN" placeholder:"DSN" help:"ClickHouse to use, as clickhouse://user:password@host:9000/hooktape (default: the embedded engine)."`
	EmbeddedAddr  string           `env:"HOOKTAPE_EMBEDDED_ADDR" placeholder:"HOST:PORT" help:"Address of the embedded engine (default: 127.0.0.1:8123)."`
	APIURL        string           `name:"api-url" env:"HOOKTAPE_API_URL" placeholder:"URL" help:"Use the API of a running hooktape, such as http://127.0.0.1:8081, instead of the database (events, replay, endpoints)."`
	APITokenFile  string           `name:"api-token-file" env:"HOOKTAPE_API_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token for --api-url (default: $HOOKTAPE_API_TOKEN, else the configuration's first token)."`
	Version       kong.VersionFlag `help:"Print version, commit, Go and the pinned version of the embedded ClickHouse engine, a line each."`
	LogFormat     string           `env:"HOOKTAPE_LOG_FORMAT" enum:"text,json" default:"text" help:"Format of the log: text or json."`

	Serve      serveCmd      `cmd:"" help:"Run everything in one process; with the embedded ClickHouse engine when no DSN is set."`
	Ingest     ingestCmd     `cmd:"" help:"Receive webhooks and store them in ClickHouse."`
	Replay     replayCmd     `cmd:"" help:"Send stored events to an endpoint again."`
	Events     eventsCmd     `cmd:"" help:"List, show and export events."`
	Endpoints  endpointsCmd  `cmd:"" help:"List, pause and resume the endpoints that events are delivered to."`
	SQL        sqlCmd        `cmd:"" name:"sql" help:"Run SQL in ClickHouse."`
	Sources    sourcesCmd    `cmd:"" help:"List and add sources: the hook URLs that BotHelp posts to."`
	Spool      spoolCmd      `cmd:"" help:"Inspect the spools on disk."`
	Simulate   simulateCmd   `cmd:"" help:"Simulate a BotHelp account: generate its history, or post its requests live."`
	Migrate    migrateCmd    `cmd:"" help:"Create or update the tables in ClickHouse, and apply the configured retention."`
	Retention  retentionCmd  `cmd:"" help:"Show how long data is kept, and how much is expired."`
	Storage    storageCmd    `cmd:"" help:"Show the space used, by table and source."`
	Backup     backupCmd     `cmd:"" help:"Back everything up: to Parquet files, or by ClickHouse itself."`
	Restore    restoreCmd    `cmd:"" help:"Restore a backup into an empty database."`
	Dashboards dashboardsCmd `cmd:"" help:"Push the Grafana dashboards to a Grafana, or write them to files."`

	Configuration configCmd      `cmd:"" name:"config" help:"Check the configuration."`
	Doctor        doctorCmd      `cmd:"" help:"Check everything that hooktape needs, and say how to fix what is wrong."`
	Healthcheck   healthcheckCmd `cmd:"" help:"Check whether a running hooktape is healthy, for containers and service managers."`

	Help       helpCmd       `cmd:"" help:"Print help about a command."`
	VersionOf  versionCmd    `cmd:"" name:"version" help:"Print the version, as --version does."`
	Completion completionCmd `cmd:"" help:"Print a script that lets a shell complete commands and flags."`
}

// exitCode is an error that only sets the process's exit code.
type exitCode int

const (
	exitFailed = exitCode(2)   // the command has worked, and its result is a failure
	exitLeft   = exitCode(130) // Ctrl-C
)

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

// newCLI returns a command line with the flags that are generated from event.Filters.
func newCLI() *cli {
	c := &cli{}
	for _, flags := range []*selectionFlags{&c.Events.List.selectionFlags, &c.Events.Export.selectionFlags,
		&c.Replay.Create.selectionFlags} {
		*flags = newSelectionFlags()
	}
	return c
}

// run runs the program, and returns the exit code. Tests call it as main does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := newCLI()
	exited := -1
	parser, err := kong.New(c, kong.Name("hooktape"), kong.Vars{"version": versionText()}, kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.Description("hooktape is a flight recorder for BotHelp webhooks: it keeps every request as it came, and sends any of them again."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 110}), kong.UsageOnError(),
		kong.Help(printHelp), kong.ValueFormatter(helpWithDefault))
	if err != nil {
		fmt.Fprintln(stderr, "hooktape:", err)
		return 1
	}
	kongplete.Complete(parser, kongplete.WithExitFunc(func(code int) { exited = code })) // when a shell asks
	if exited >= 0 {
		return exited
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if bareGroup(err) {
		command, err = parser.Parse(append(slices.Clone(args), "--help"))
	}
	if exited >= 0 {
		return exited
	}
	if err != nil {
		fmt.Fprintf(stderr, "hooktape: %v; see hooktape --help\n", err)
		return 1
	}
	e := &env{ctx: ctx, cli: c, stdout: stdout, stderr: stderr, log: newLogger(c.LogFormat, stderr)}
	err = command.Run(e)
	var code exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(stderr, "hooktape:", sentence(err, e))
	return 1
}

// sentence adds advice to an error.
func sentence(err error, e *env) string {
	if _, damaged := errors.AsType[*spool.CorruptionError](err); damaged {
		return err.Error() + "; start hooktape again: it sets the damaged part aside and saves what can be read"
	}
	switch {
	case errors.Is(err, spool.ErrLocked):
		return err.Error() + "; another hooktape runs on this data directory"
	case errors.Is(err, store.ErrUnauthorized) && e.usesEngine():
		return err.Error() + "; `hooktape serve` keeps the embedded engine's password in " + embedded.WriterPasswordFile +
			" of its data directory: name that by --data, or remove a password that is set elsewhere"
	case errors.Is(err, store.ErrUnauthorized):
		return err.Error() + "; check the user and password in the DSN"
	case errors.Is(err, store.ErrUnavailable) && e.cli.ClickhouseDSN == "":
		return err.Error() + "; is `hooktape serve` running?"
	}
	return err.Error()
}
