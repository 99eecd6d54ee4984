// Command benchconsole measures how long the console's pages take over a large account.
//
//	go run ./test/benchconsole [-subscribers 1000000] [-days 90] [-dsn http://…/hooktape] [-only analytics]
//
// It fills a real engine with a simulated account, gives a tenth of the events a delivery with an attempt and a trace,
// serves the console on it, and requests the list of events with one filter at a time, an event's page and a
// subscriber's, as a browser does. It prints the first, the median and the slowest time in milliseconds. With -dsn it
// uses an existing database.
package main

import (
	"context"
	"flag"
	"io"

	"hooktape/test/harness"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchconsole", flag.ContinueOnError)
	times := flags.Int("times", 7, "requests for each page")
	only := flags.String("only", "", "measure the pages with this text in their name")
	dsn, end, err := harness.OpenAccount(ctx, flags, args, stdout)
	if err != nil {
		return err
	}
	defer end()
	b, err := newBench(ctx, stdout, dsn, *times)
	if err != nil {
		return err
	}
	defer b.close()
	return b.all(ctx, *only)
}
