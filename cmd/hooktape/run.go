package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/willabides/kongplete"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/spool"
	"hooktape/internal/store"
)

// cli is the whole command line.
type cli struct {
	commonFlags
	Version kong.VersionFlag `help:"Print version, commit, Go and the pinned version of the embedded ClickHouse engine, a line each."`

	Serve      serveCmd      `cmd:"" help:"Run everything in one process; with the embedded ClickHouse engine when no DSN is set."`
	Ingest     ingestCmd     `cmd:"" help:"Receive webhooks and store them in ClickHouse."`
	Replay     replayCmd     `cmd:"" help:"Send stored events to an endpoint again."`
	Login      loginCmd      `cmd:"" help:"Print a one-time link that logs you in to the console."`
	Events     eventsCmd     `cmd:"" help:"List, show and export events."`
	Views      viewsCmd      `cmd:"" help:"List, save and delete views: named filters of events."`
	Deliveries deliveriesCmd `cmd:"" help:"List deliveries, say what they wait for, group failures, and retry them."`
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

// newCLI returns a command line with the flags that are generated from event.Filters.
func newCLI() *cli {
	c := &cli{}
	for _, flags := range []*selectionFlags{&c.Events.List.selectionFlags, &c.Events.Export.selectionFlags,
		&c.Replay.Create.selectionFlags, &c.Views.Save.selectionFlags} {
		*flags = newSelectionFlags()
	}
	for _, flags := range []*deliveryFlags{&c.Deliveries.List.deliveryFlags, &c.Deliveries.Groups.deliveryFlags,
		&c.Deliveries.Retry.deliveryFlags} {
		*flags = newDeliveryFlags()
	}
	return c
}

// run runs the program, and returns the exit code. Tests call it as main does.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := newCLI()
	exited := -1
	parser, err := kong.New(c, kong.Name("hooktape"), kong.Vars{"version": versionText()}, kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.Description("hooktape is a flight recorder for BotHelp webhooks: it keeps every request as it came, and "+
			"sends any of them again."),
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
		fmt.Fprintf(stderr, "hooktape: %v; see %s --help\n", err, commandOf(err))
		return 1
	}
	e := &env{ctx: ctx, flags: c.commonFlags, stdout: stdout, stderr: stderr, log: newLogger(c.LogFormat, stderr)}
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

// commandOf returns the command, such as "hooktape replay pause", whose arguments could not be parsed.
func commandOf(err error) string {
	if parse, ok := errors.AsType[*kong.ParseError](err); ok {
		if command := parse.Context.Command(); command != "" {
			words, _, _ := strings.Cut(command, " <")
			return "hooktape " + words
		}
	}
	return "hooktape"
}

// helpCmd prints help about a command, as its --help does.
type helpCmd struct {
	Command []string `arg:"" optional:"" help:"The command, such as replay create."`
}

// Run prints help.
func (c helpCmd) Run(e *env) error {
	return exitCode(run(e.ctx, append(c.Command, "--help"), e.stdout, e.stderr))
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
		return err.Error() + "; `hooktape serve` keeps the embedded engine's password in " +
			embedded.WriterPasswordFile +
			" of its data directory: name that by --data, or remove a password that is set elsewhere"
	case errors.Is(err, store.ErrUnauthorized):
		return err.Error() + "; check the user and password in the DSN"
	case errors.Is(err, store.ErrUnavailable) && e.flags.ClickhouseDSN == "":
		return err.Error() + "; is `hooktape serve` running?"
	}
	return err.Error()
}
