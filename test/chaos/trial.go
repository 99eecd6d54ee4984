package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/simulate"
	"hooktape/test/harness"
	"hooktape/test/load"
)

// trial is one fault in progress, with its own ClickHouse, hooktape and load.
type trial struct {
	*suite
	name     string
	engine   *harness.Engine
	addr     string            // of the hooks
	hooktape *harness.Hooktape // nil: it runs in this process
	local    *local            // nil: hooktape is a process
	load     *load.Run
	delivery *delivery // nil: no deliveries

	forwarding *forwarding  // nil: no external requests
	atEnd      func() error // releases other resources; may be nil
}

const (
	// patience is the timeout of every wait.
	patience = 4 * time.Minute
	// hurry makes the drain insert continuously, so that a fault at a random moment hits an insert.
	hurry = "drain:\n  age: 20ms\n"
)

// seed is the seed of the bodies.
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

// startLoad starts the load and waits until events arrive in ClickHouse, so that a fault hits a working system.
func (t *trial) startLoad(ctx context.Context) error {
	return t.startLoadOf(ctx, load.Options{Bodies: simulate.NewWebhooks(seed), Rate: t.rate})
}

func (t *trial) startLoadOf(ctx context.Context, o load.Options) error {
	o.Addr, o.Source, o.Token, o.Connections = t.addr, harness.Source, harness.Token, connections
	t.load = load.Start(ctx, o)
	return t.until(ctx, "the first event in ClickHouse", func() bool { return t.stored(ctx) > 0 })
}

// until waits until done returns true. It returns an error if a hooktape process exits meanwhile. The error of a wait
// in vain has what the processes logged.
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
	if errors.Is(err, context.DeadlineExceeded) {
		for _, h := range t.hooktapes() {
			err = fmt.Errorf("%w\n--- output of hooktape\n%s", err, h.Said())
		}
	}
	return err
}

// hooktapes returns the running processes of hooktape.
func (t *trial) hooktapes() (list []*harness.Hooktape) {
	if t.hooktape != nil {
		list = append(list, t.hooktape)
	}
	if t.delivery != nil && t.delivery.Hooktape != nil {
		list = append(list, t.delivery.Hooktape)
	}
	return list
}

// stored returns the number of events in ClickHouse, 0 while it does not answer.
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

// goesOn waits until new requests are acknowledged.
func (t *trial) goesOn(ctx context.Context) error {
	before := t.load.Counts().Acked
	return t.until(ctx, "new requests to be acknowledged", func() bool {
		return t.load.Counts().Acked > before+connections
	})
}

// settle waits until the spool is empty and no insert is running.
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
	// An insert may continue after its client's timeout.
	return t.until(ctx, "ClickHouse to finish inserts", func() bool {
		inserts := uint64(1)
		_ = t.query(ctx, func(conn driver.Conn) error {
			return conn.QueryRow(ctx, "SELECT count() FROM system.processes WHERE query ILIKE 'INSERT%'").Scan(&inserts)
		})
		return inserts == 0
	})
}

// end stops everything that the trial started.
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
	if t.forwarding != nil {
		if t.forwarding.bots != nil {
			t.forwarding.stop()
		}
		t.forwarding.Behave(answers) // ends hanging requests
		t.forwarding.Down()
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
