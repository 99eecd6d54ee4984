// Command benchdashboards measures how long the dashboards' queries take over a large account.
//
//	go run ./test/benchdashboards [-subscribers 1000000] [-days 90] [-dsn http://…/hooktape]
//
// It fills a real engine with a simulated account and runs the queries of each dashboard, two at a time as Grafana
// does, for the last 24 hours, 30 and 90 days. It prints milliseconds and rows read for each panel, and the time of
// each whole dashboard. With -dsn it uses an existing database.
package main

import (
	"context"
	"flag"
	"io"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchdashboards", flag.ContinueOnError)
	until := flags.String("until", "", "end of the ranges, with -dsn (default: the newest event's minute)")
	dsn, end, err := harness.OpenAccount(ctx, flags, args, stdout)
	if err != nil {
		return err
	}
	defer end()
	b, err := newBench(ctx, stdout, dsn, *until)
	if err != nil {
		return err
	}
	return b.all(ctx)
}
