// Command benchconsole measures how long the console's pages take over a large account.
//
//	go run ./test/benchconsole [-subscribers 1000000] [-days 90] [-dsn http://…/hooktape]
//
// It plays an account into a real engine, gives a tenth of its events a delivery with its attempt and trace, serves the
// console over it, and asks for the list of events with one filter at a time, an event's page and a subscriber's, as a
// browser would. It prints milliseconds: of the first time, the median, and the slowest. With -dsn it asks a database that
// has the events already.
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
	var account harness.Account
	account.Flags(flags)
	times := flags.Int("times", 7, "how often each page is asked for")
	if err := flags.Parse(args); err != nil {
		return err
	}
	end, err := account.Open(ctx, stdout)
	if err != nil {
		return err
	}
	defer end()
	b, err := newBench(ctx, stdout, account.DSN, *times)
	if err != nil {
		return err
	}
	defer b.close()
	return b.all(ctx)
}
