package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
	"hooktape/test/receiver"
)

// trial is a collector with its surroundings.
type trial struct {
	out     io.Writer
	begun   time.Time
	harness *harness.Harness
	program string // the built collector
	file    string // its configuration
	away    time.Duration

	engine         *harness.Engine
	db             harness.Database
	collector      *collector
	restart        func() error // restarts the collector after a kill
	deaf           [2]time.Time // the time without a collector, from the last telemetry that it may have lost
	ingest, replay *harness.Hooktape
	receiver       *receiver.Receiver
	load           *load.Run
}

// say prints a line of progress.
func (t *trial) say(format string, args ...any) {
	fmt.Fprintf(t.out, "%6.1fs  %s\n", time.Since(t.begun).Seconds(), fmt.Sprintf(format, args...))
}

const (
	rate        = 200 // requests a second
	connections = 8
	calm        = 5 * time.Second
	// settings subscribes the endpoint to all events and shortens the interval of metrics.
	settings = `endpoints:
  - {name: crm, url: "%s", subscribe: {}, allow_private: true, concurrency: 32}
`
	metricsEvery = "OTEL_METRIC_EXPORT_INTERVAL=2000"
	// told is longer than hooktape buffers a span.
	told = 8 * time.Second
	// lineDelay is longer than hooktape buffers a log line.
	lineDelay = 2 * time.Second
)

// run runs the whole test and prints the table.
func (t *trial) run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil {
		return err
	}
	defer t.receiver.Close()
	for _, phase := range []func(context.Context) error{t.works, t.withoutClickHouse, t.killedMeanwhile} {
		if err := phase(ctx); err != nil {
			t.load.Stop()
			return err
		}
	}
	ledger := t.load.Stop()
	t.say("%d requests are acknowledged; all ends", len(ledger.Acks))
	late := t.end(ctx, len(ledger.Acks)) // after a timeout, count what there is
	err := errors.Join(late, t.count(ctx), t.ask(ctx))
	if err != nil {
		err = fmt.Errorf("%w\nlast output of the collector: %s", err, t.collector.Said())
	}
	return err
}

// begin starts everything. It returns when events arrive in ClickHouse and at the endpoint.
func (t *trial) begin(ctx context.Context) (err error) {
	if t.engine, err = t.harness.NewEngine(ctx); err != nil {
		return err
	}
	t.db = harness.Database(t.engine.DSN("hooktape"))
	if t.receiver, err = receiver.Listen(); err != nil {
		return err
	}
	dir, err := t.harness.NewDir("collector")
	if err != nil {
		return err
	}
	// First create the tables, as docker-compose.yml does.
	if err := harness.Migrate(ctx, t.engine.DSN("hooktape")); err != nil {
		return err
	}
	if t.collector, err = t.startCollector(ctx, t.engine.DSN(""), dir, ""); err != nil {
		return err
	}
	t.restart = func() error {
		t.collector, err = t.startCollector(ctx, t.engine.DSN(""), dir, t.collector.addr)
		return err
	}
	t.harness.Env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + t.collector.addr, metricsEvery}
	defer func() { t.harness.Env = nil }()
	if t.replay, err = t.harness.NewDeliverer(ctx, t.engine.DSN("hooktape"),
		fmt.Sprintf(settings, t.receiver.URL())); err != nil {
		return err
	}
	if err := t.until(ctx, "the endpoint to be followed", "SELECT count() FROM endpoint_states", 1); err != nil {
		return err
	}
	if t.ingest, err = t.harness.NewHooktape(ctx, t.engine.DSN("hooktape"), ""); err != nil {
		return err
	}
	t.load = load.Start(ctx, load.Options{Addr: t.ingest.Addr, Source: harness.Source, Token: harness.Token,
		Bodies: simulate.NewWebhooks(1), Rate: rate, Connections: connections})
	return nil
}

// works runs without faults for a while.
func (t *trial) works(ctx context.Context) error {
	t.say("all runs, at %d requests a second", rate)
	return errors.Join(harness.Pause(ctx, calm), t.until(ctx, "spans in ClickHouse", "SELECT count() FROM otel_traces",
		100))
}

// withoutClickHouse kills ClickHouse and restarts it after a while.
func (t *trial) withoutClickHouse(ctx context.Context) error {
	t.engine.Kill()
	t.say("ClickHouse is killed, for %v", t.away)
	if err := harness.Pause(ctx, t.away); err != nil {
		return err
	}
	if err := t.engine.Start(ctx); err != nil {
		return err
	}
	t.say("ClickHouse is back")
	return harness.Pause(ctx, calm)
}

// killedMeanwhile kills the collector while ClickHouse is down: accepted telemetry waits on its disk. The load pauses
// first, until hooktape has sent everything, because hooktape buffers in memory only.
func (t *trial) killedMeanwhile(ctx context.Context) error {
	t.engine.Kill()
	t.say("ClickHouse is killed again")
	if err := harness.Pause(ctx, calm); err != nil {
		return err
	}
	t.load.Hold(true)
	if err := harness.Pause(ctx, told); err != nil {
		return err
	}
	t.deaf[0] = time.Now().Add(-lineDelay)
	t.collector.Kill()
	t.say("the collector is killed meanwhile")
	// The collector starts only when ClickHouse answers; docker-compose.yml restarts it until then.
	if err := t.engine.Start(ctx); err != nil {
		return err
	}
	if err := t.restart(); err != nil {
		return err
	}
	t.deaf[1] = time.Now()
	t.say("both are back")
	t.load.Hold(false)
	return harness.Pause(ctx, calm)
}

// end waits until all acknowledged events are delivered, and stops both processes.
func (t *trial) end(ctx context.Context, acked int) error {
	if err := t.until(ctx, "all events to be delivered",
		"SELECT uniqExact(event_id) FROM deliveries WHERE state = 'delivered'", acked); err != nil {
		return err
	}
	return errors.Join(t.ingest.Stop(patience), t.replay.Stop(patience))
}

// until waits until the number of a query reaches the wanted one.
func (t *trial) until(ctx context.Context, what, sql string, least int) error {
	last := 0
	err := harness.Until(ctx, patience, what, func() bool {
		if n, err := t.db.Number(ctx, sql); err == nil {
			last = n
		}
		return last >= least || harness.Pause(ctx, 200*time.Millisecond) != nil
	})
	if err != nil {
		return fmt.Errorf("%w: got %d of %d", err, last, least)
	}
	return nil
}
