package rig

import (
	"context"
	"fmt"
	"io"
	"time"

	"hooktape/simulate"
	"hooktape/store"
)

// eventsEach is how many events a simulated subscriber makes, on the average.
const eventsEach = 8.39

// Fill plays an account of about that many events in the last days into a database.
func Fill(ctx context.Context, stdout io.Writer, dsn string, events, days int) error {
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
