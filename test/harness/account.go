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

// Account is a large simulated account to measure with. Flags choose between an existing database and a new engine.
type Account struct {
	DSN               string
	subscribers, days int
}

// Flags adds the flags -dsn, -subscribers and -days.
func (a *Account) Flags(flags *flag.FlagSet) {
	flags.IntVar(&a.subscribers, "subscribers", 1_000_000, "how many people, each with some ten events in 90 days")
	flags.IntVar(&a.days, "days", 90, "days that they lie in")
	flags.StringVar(&a.DSN, "dsn", "",
		"database that has them already, by HTTP (default: an engine is started and filled)")
}

// Open starts an engine, fills it and sets DSN, unless the flag -dsn is set. end stops the engine.
func (a *Account) Open(ctx context.Context, stdout io.Writer) (end func(), err error) {
	if a.DSN != "" {
		return func() {}, nil
	}
	processes, err := New(ctx, "")
	if err != nil {
		return nil, err
	}
	end = func() { processes.Close() }
	if err := a.make(ctx, stdout, processes); err != nil {
		end()
		return nil, err
	}
	return end, nil
}

func (a *Account) make(ctx context.Context, stdout io.Writer, processes *Harness) error {
	engine, err := processes.NewEngine(ctx)
	if err != nil {
		return err
	}
	a.DSN = engine.DSN("hooktape")
	if err := a.fill(ctx, stdout); err != nil {
		return err
	}
	// In a real account the events of months have long been merged.
	return engine.Rest(ctx)
}

// fill inserts the simulated account into the database.
func (a *Account) fill(ctx context.Context, stdout io.Writer) error {
	o := simulate.DefaultOptions(time.Now().UTC().Truncate(time.Minute), a.days)
	o.Subscribers = uint32(a.subscribers)
	account, err := simulate.New(o)
	if err != nil {
		return err
	}
	db, err := store.Open(a.DSN)
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
