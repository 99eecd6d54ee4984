// Command benchdashboards measures how long the dashboards' queries take over a large account.
//
//	go run ./proof/benchdashboards [-events 10000000] [-days 90] [-dsn http://…/hooktape]
//
// It plays an account into a real engine, asks what Grafana asks of each dashboard, two queries at a time, for the last 24
// hours, 30 and 90 days, and prints milliseconds and rows read for each panel, and each dashboard's time as a whole. With
// -dsn it asks a database that has the events already.
package main

import (
	"context"
	"flag"
	"io"

	"hooktape/proof/rig"
)

func main() { rig.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchdashboards", flag.ContinueOnError)
	events := flags.Int("events", 10_000_000, "about how many events")
	days := flags.Int("days", 90, "days that they lie in")
	dsn := flags.String("dsn", "", "database that has them already, by HTTP (default: an engine is started and filled)")
	until := flags.String("until", "", "end of the ranges, with -dsn (default: the newest event's minute)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *dsn == "" {
		processes, err := rig.New(ctx, "")
		if err != nil {
			return err
		}
		defer processes.Close()
		engine, err := processes.NewEngine(ctx)
		if err != nil {
			return err
		}
		defer engine.Kill()
		*dsn = engine.DSN("hooktape")
		if err := rig.Fill(ctx, stdout, *dsn, *events, *days); err != nil {
			return err
		}
	}
	b, err := newBench(ctx, stdout, *dsn, *until)
	if err != nil {
		return err
	}
	return b.all(ctx)
}
