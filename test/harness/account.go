package harness

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"hooktape/internal/simulate"
	"hooktape/internal/store"
)

// OpenAccount adds the flags -dsn, -subscribers and -days to flags, parses them, and returns a database with a large
// simulated account to measure with. Without -dsn it starts an engine, which end stops, and fills it.
func OpenAccount(ctx context.Context, flags *flag.FlagSet, args []string, stdout io.Writer) (dsn string, end func(),
	err error) {
	subscribers := flags.Uint("subscribers", 1_000_000, "how many people, each with some ten events in 90 days")
	days := flags.Int("days", 90, "days that they lie in")
	flags.StringVar(&dsn, "dsn", "",
		"database that has them already, by HTTP (default: an engine is started and filled)")
	if err := flags.Parse(args); err != nil || dsn != "" {
		return dsn, func() {}, err
	}
	processes, err := New(ctx, "")
	if err != nil {
		return "", nil, err
	}
	end = func() { processes.Close() }
	engine, err := processes.NewEngine(ctx)
	if err == nil {
		dsn = engine.DSN("hooktape")
		err = fill(ctx, stdout, dsn, uint32(*subscribers), *days)
	}
	if err == nil { // in a real account the events of months have long been merged
		err = engine.Rest(ctx)
	}
	if err != nil {
		end()
	}
	return dsn, end, err
}

// fill inserts a simulated account into a database.
func fill(ctx context.Context, stdout io.Writer, dsn string, subscribers uint32, days int) error {
	o := simulate.DefaultOptions(time.Now().UTC().Truncate(time.Minute), days)
	o.Subscribers = subscribers
	account, err := simulate.New(o)
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
	err = account.Backfill(ctx, db.InsertEvents, func(p simulate.Progress) { done = p.Events })
	fmt.Fprintf(stdout, "%d events of %d subscribers, inserted within %v\n", done, o.Subscribers,
		time.Since(begun).Round(time.Second))
	return err
}
