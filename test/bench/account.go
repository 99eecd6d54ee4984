package main

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/simulate"
	"hooktape/internal/store"
	"hooktape/test/harness"
)

// account is a database with a large simulated account.
type account struct {
	*bench
	db harness.Database
}

// openAccount adds the flags -dsn, -subscribers and -days to flags, parses them, and returns a database to measure
// with. Without -dsn it starts an engine and fills it. The caller closes the account.
func openAccount(ctx context.Context, flags *flag.FlagSet, args []string, stdout io.Writer) (*account, error) {
	subscribers := flags.Uint("subscribers", 1_000_000, "how many people, each with some ten events in 90 days")
	days := flags.Int("days", 90, "days that they lie in")
	dsn := flags.String("dsn", "", "database that has them already, by HTTP (default: an engine is started and filled)")
	b, err := open(ctx, flags, args, stdout)
	if err != nil {
		return nil, err
	}
	a := &account{b, harness.Database(*dsn)}
	if *dsn == "" {
		err = a.fill(ctx, uint32(*subscribers), *days)
	}
	if err != nil {
		a.Close()
	}
	return a, err
}

// fill starts an engine and inserts a simulated account.
func (a *account) fill(ctx context.Context, subscribers uint32, days int) error {
	o := simulate.DefaultOptions(time.Now().UTC().Truncate(time.Minute), days)
	o.Subscribers = subscribers
	people, err := simulate.New(o)
	if err != nil {
		return err
	}
	engine, dsn, err := a.NewDatabase(ctx)
	if err != nil {
		return err
	}
	a.db = harness.Database(dsn)
	db, err := store.Open(dsn)
	if err != nil {
		return err
	}
	defer db.Close()
	done := uint64(0)
	if err := people.Backfill(ctx, db.InsertEvents, func(p simulate.Progress) { done = p.Events }); err != nil {
		return err
	}
	a.say("%d events of %d subscribers are inserted", done, o.Subscribers)
	return engine.Rest(ctx) // in a real account the events of months have long been merged
}

// known has values to search for: those of an event in the middle of the history, because the newest are found quickly
// with any filter, and the id of a delivered event.
type known struct {
	Old, New, Subscriber, Source, Step, Channel, UTM, Medium, Campaign, Content, Term, Phone, Field, Name string
	From, To                                                                                              time.Time
}

// deliveredTenth gives the newest tenth of the events a delivery to crm with an attempt, and the span of the request.
// One delivery in twenty has failed.
var deliveredTenth = []string{
	`INSERT INTO deliveries
		(replay_id, endpoint, event_received_at, event_id, state, attempts, updated_at, subscriber, created_at, version)
		SELECT toUUID('00000000-0000-0000-0000-000000000000'), 'crm', received_at, id,
			if(cityHash64(id) % 20 = 0, 'failed', 'delivered'), 1, received_at, bothelp_user_id, received_at, 12
		FROM events WHERE verdict = 'accepted' ORDER BY received_at DESC LIMIT (SELECT intDiv(count(), 10) FROM events)`,
	`INSERT INTO attempts
		(id, event_id, endpoint, url, replay_id, number, started_at, duration_ms, outcome, status_code,
			response_headers, response_body, trace_id)
		SELECT generateUUIDv4(), event_id, endpoint, 'https://crm.example.org/', replay_id, 1, event_received_at + toIntervalMillisecond(600), 42,
			if(state = 'failed', 'bad_status', 'delivered'), if(state = 'failed', 500, 200),
			[('Content-Type', 'application/json'), ('Date', 'Thu, 01 Jan 1970 00:00:00 GMT')], '{"ok":true}',
			lower(hex(MD5(toString(event_id))))
		FROM deliveries`,
	`INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ServiceName, SpanAttributes, Duration)
		SELECT received_at, trace_id, span_id, 'POST /hooks/{source}/{token}/{step}', 'Server', 'hooktape', map('hooktape.event.id', toString(id)), 700000
		FROM events WHERE verdict = 'accepted' ORDER BY received_at DESC LIMIT (SELECT intDiv(count(), 10) FROM events)`,
}

// deliver creates deliveries, unless there are some, and reads values to search for.
func (a *account) deliver(ctx context.Context, db *store.Store) (k known, err error) {
	if _, err := db.Migrate(ctx); err != nil {
		return k, err
	}
	options, err := clickhouse.ParseDSN(string(a.db))
	if err != nil {
		return k, err
	}
	options.ReadTimeout = 10 * time.Minute
	conn, err := clickhouse.Open(options)
	if err != nil {
		return k, err
	}
	defer conn.Close()
	var events, attempts uint64
	if err := conn.QueryRow(ctx, "SELECT (SELECT count() FROM events), (SELECT count() FROM attempts)").Scan(&events,
		&attempts); err != nil {
		return k, err
	}
	if attempts == 0 {
		for _, sql := range deliveredTenth {
			if err := conn.Exec(ctx, sql); err != nil {
				return k, err
			}
		}
	}
	err = conn.QueryRow(ctx, `WITH (SELECT min(received_at) + intDiv(max(received_at) - min(received_at), 2) FROM events) AS middle
		SELECT toString(id), bothelp_user_id, source, step, channel, utm_source, utm_medium, utm_campaign, utm_content, utm_term, phone, name, fields['Город'],
			(SELECT min(received_at) FROM events), (SELECT max(received_at) FROM events), (SELECT toString(argMax(event_id, event_received_at)) FROM deliveries WHERE state = 'failed')
		FROM events WHERE received_at >= toDateTime(middle) AND verdict = 'accepted' AND phone != '' AND utm_campaign != '' AND fields['Город'] != '' LIMIT 1`).
		Scan(&k.Old, &k.Subscriber, &k.Source, &k.Step, &k.Channel, &k.UTM, &k.Medium, &k.Campaign, &k.Content, &k.Term,
			&k.Phone, &k.Name, &k.Field, &k.From, &k.To, &k.New)
	a.say("%d events from %s to %s", events, k.From.Format(time.DateTime), k.To.Format(time.DateTime))
	return k, err
}
