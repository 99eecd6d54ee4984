package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
)

// trial is one fault under way: a ClickHouse, a hooktape and a load of its own.
type trial struct {
	*arena
	name     string
	engine   *harness.Engine
	addr     string            // of the hooks
	hooktape *harness.Hooktape // nil where it runs in this process
	local    *local            // nil where it is a process
	load     *load.Run
	delivery *delivery    // nil where nothing is delivered
	atEnd    func() error // what else is to be given back; may be nil
}

const (
	// patience is how long anything may take to come about by itself.
	patience = 4 * time.Minute
	// hurry makes the drain insert all the time, so that a blow at a random moment hits an insert.
	hurry = "drain:\n  age: 20ms\n"
)

// seed makes the bodies.
const seed = 1

// begin starts a hooktape process and loads it.
func (t *trial) begin(ctx context.Context, dsn, settings string) (err error) {
	if t.hooktape, err = t.harness.NewHooktape(ctx, dsn, settings); err != nil {
		return err
	}
	t.addr = t.hooktape.Addr
	return t.startLoad(ctx)
}

func (t *trial) dsn() string { return t.engine.DSN("hooktape") }

// startLoad returns when events arrive in ClickHouse: whatever is struck then was at work.
func (t *trial) startLoad(ctx context.Context) error {
	return t.startLoadOf(ctx, load.Options{Bodies: simulate.NewWebhooks(seed), Rate: t.rate})
}

func (t *trial) startLoadOf(ctx context.Context, o load.Options) error {
	o.Addr, o.Source, o.Token, o.Connections = t.addr, harness.Source, harness.Token, connections
	t.load = load.Start(ctx, o)
	return t.until(ctx, "the first event in ClickHouse", func() bool { return t.stored(ctx) > 0 })
}

// until waits until done says so. A hooktape that has ended by itself is not waited for.
func (t *trial) until(ctx context.Context, what string, done func() bool) error {
	var ended *harness.Hooktape
	err := harness.Until(ctx, patience, what, func() bool {
		for _, h := range t.hooktapes() {
			if h.Ended() {
				ended = h
			}
		}
		return ended != nil || done()
	})
	if ended != nil {
		return fmt.Errorf("waiting for %s: hooktape has ended: %s", what, ended.Said())
	}
	return err
}

// hooktapes are the processes of hooktape that there are.
func (t *trial) hooktapes() (list []*harness.Hooktape) {
	if t.hooktape != nil {
		list = append(list, t.hooktape)
	}
	if t.delivery != nil && t.delivery.Hooktape != nil {
		list = append(list, t.delivery.Hooktape)
	}
	return list
}

// stored is how many events are in ClickHouse; 0 also while it cannot say.
func (t *trial) stored(ctx context.Context) (rows uint64) {
	_ = t.query(ctx, func(conn driver.Conn) error {
		return conn.QueryRow(ctx, "SELECT count() FROM events").Scan(&rows)
	})
	return rows
}

func (t *trial) query(ctx context.Context, ask func(driver.Conn) error) error {
	conn, err := harness.Connect(t.dsn())
	if err != nil {
		return err
	}
	defer conn.Close()
	return ask(conn)
}

// goesOn returns when requests that come from now on are acknowledged.
func (t *trial) goesOn(ctx context.Context) error {
	before := t.load.Counts().Acked
	return t.until(ctx, "new requests to be acknowledged", func() bool {
		return t.load.Counts().Acked > before+connections
	})
}

// settle returns when all that was acknowledged should be in ClickHouse, and nothing is on its way there.
func (t *trial) settle(ctx context.Context) error {
	t.say(t.name, "the load has ended; draining")
	var last harness.Ready
	err := t.until(ctx, "the spool to drain", func() bool {
		var err error
		last, err = harness.AskReady(ctx, t.addr)
		return err == nil && last.Ready && last.Drain.WaitingEvents == 0
	})
	if err != nil {
		return fmt.Errorf("%w; %+v", err, last)
	}
	// An insert that the client gave up may still be at work.
	return t.until(ctx, "ClickHouse to finish inserts", func() bool {
		inserts := uint64(1)
		_ = t.query(ctx, func(conn driver.Conn) error {
			return conn.QueryRow(ctx, "SELECT count() FROM system.processes WHERE query ILIKE 'INSERT%'").Scan(&inserts)
		})
		return inserts == 0
	})
}

// end leaves nothing of the trial running.
func (t *trial) end() {
	if t.load != nil {
		t.load.Stop()
	}
	for _, h := range t.hooktapes() {
		h.Kill()
	}
	if t.delivery != nil {
		t.delivery.receiver.Close()
	}
	if t.local != nil {
		t.local.stop()
	}
	if t.engine != nil {
		t.engine.Kill()
	}
	if t.atEnd != nil {
		_ = t.atEnd()
	}
}
