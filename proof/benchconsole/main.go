// Command benchconsole measures how long the console's pages take over a large account.
//
//	go run ./proof/benchconsole [-events 10000000] [-days 90] [-dsn http://…/hooktape]
//
// It plays an account into a real engine, gives a tenth of its events a delivery, serves the console over it, and asks for
// the list of events with one filter at a time, an event's page and a subscriber's, as a browser would. It prints
// milliseconds: of the first time, the median, and the slowest. With -dsn it asks a database that has the events already.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"hooktape/proof/rig"
	"hooktape/simulate"
	"hooktape/store"
)

func main() { rig.Main(run) }

// eventsEach is how many events a simulated subscriber makes, on the average.
const eventsEach = 8.39

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchconsole", flag.ContinueOnError)
	events := flags.Int("events", 10_000_000, "about how many events")
	days := flags.Int("days", 90, "days that they lie in")
	dsn := flags.String("dsn", "", "database that has them already, by HTTP (default: an engine is started and filled)")
	times := flags.Int("times", 7, "how often each page is asked for")
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
		if err := fill(ctx, stdout, *dsn, *events, *days); err != nil {
			return err
		}
	}
	b, err := newBench(ctx, stdout, *dsn, *times)
	if err != nil {
		return err
	}
	defer b.close()
	return b.all(ctx)
}

// fill plays an account into a database.
func fill(ctx context.Context, stdout io.Writer, dsn string, events, days int) error {
	o := simulate.DefaultOptions(time.Now().UTC().Truncate(time.Minute), days)
	o.Subscribers = uint32(float64(events) / eventsEach)
	a, err := simulate.New(o)
	if err != nil {
		return err
	}
	db, err := store.Open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	begun, done := time.Now(), uint64(0)
	err = a.Backfill(ctx, db.InsertEvents, func(p simulate.Progress) { done = p.Events })
	fmt.Fprintf(stdout, "%d events of %d subscribers, inserted within %v\n", done, o.Subscribers, time.Since(begun).Round(time.Second))
	return err
}
