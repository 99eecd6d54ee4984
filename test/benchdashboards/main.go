// Command benchdashboards measures how long the dashboards' queries take over a large account.
//
//	go run ./test/benchdashboards [-subscribers 1000000] [-days 90] [-dsn http://…/hooktape]
//
// It plays an account into a real engine, asks what Grafana asks of each dashboard, two queries at a time, for the last 24
// hours, 30 and 90 days, and prints milliseconds and rows read for each panel, and each dashboard's time as a whole. With
// -dsn it asks a database that has the events already.
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
	var account harness.Account
	account.Flags(flags)
	until := flags.String("until", "", "end of the ranges, with -dsn (default: the newest event's minute)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	end, err := account.Open(ctx, stdout)
	if err != nil {
		return err
	}
	defer end()
	b, err := newBench(ctx, stdout, account.DSN, *until)
	if err != nil {
		return err
	}
	return b.all(ctx)
}
