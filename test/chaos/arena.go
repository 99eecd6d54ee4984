package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"hooktape/test/harness"
)

// arena is what all faults share.
type arena struct {
	harness *harness.Harness
	scale
	begun time.Time

	printing sync.Mutex
	out      io.Writer
}

// fault is one thing that goes wrong.
type fault struct {
	name string
	// strike lets it go wrong, and returns when all runs again and the load still goes on.
	strike func(context.Context, *trial) error
	// possible is why this machine cannot let it go wrong; absent where every one can.
	possible func(*arena) error
}

var faults = []fault{
	{"hooktape killed", hooktapeKilled, nil},
	{"ClickHouse killed", clickHouseKilled, nil},
	{"both killed", bothKilled, nil},
	{"ClickHouse away", clickHouseAway, nil},
	{"ClickHouse frozen", clickHouseFrozen, nil},
	{"spool full", spoolFull, nil},
	{"write error", writeError, nil},
	{"fsync error", fsyncError, nil},
	{"power cut", powerCut, nil},
	{"disk filled", diskFilled, canMount},
	{"bits flipped", bitsFlipped, nil},
}

// all lets the faults happen, some at a time, and shows the tables. Its error says what was not as promised.
func (a *arena) all(ctx context.Context, only string) error {
	here := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool { return !strings.Contains(f.name, only) })
	here = slices.DeleteFunc(here, func(f fault) bool {
		if f.possible == nil {
			return false
		}
		err := f.possible(a)
		if err != nil {
			a.say(f.name, "NOT TRIED: %v", err)
		}
		return err != nil
	})
	there := slices.DeleteFunc(slices.Clone(endpointFaults), func(f endpointFault) bool { return !strings.Contains(f.name, only) })
	stored, received := make([]row, len(here)), make([]receivedRow, len(there))
	failed := make([]error, len(here)+len(there))
	var group errgroup.Group
	group.SetLimit(a.atOnce)
	begin := func(i int, one func() error) {
		group.Go(func() error { failed[i] = one(); return nil }) // a fault that is not survived does not spare the others
	}
	for i, f := range there { // first, for they take longest
		received[i].fault = f.name
		begin(len(here)+i, func() error {
			return a.one(ctx, f.name, f.strike, func(t *trial) error { return t.judgeReceived(ctx, &received[i]) })
		})
	}
	for i, f := range here {
		stored[i].fault = f.name
		begin(i, func() error {
			return a.one(ctx, f.name, f.strike, func(t *trial) error { return t.judgeStored(ctx, &stored[i]) })
		})
	}
	_ = group.Wait()
	printTable(a.out, stored)
	printTable(a.out, received)
	return errors.Join(failed...)
}

// one lets one fault happen and judges what came of it.
func (a *arena) one(ctx context.Context, name string, strike func(context.Context, *trial) error, judge func(*trial) error) (err error) {
	t := &trial{arena: a, name: name}
	defer t.end()
	if t.engine, err = a.harness.NewEngine(ctx); err == nil {
		err = strike(ctx, t)
	}
	if err == nil {
		err = judge(t)
	}
	if err != nil {
		a.say(name, "FAILED: %v", err)
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// judgeStored counts in r what became of the requests, and returns what of the promise was not kept.
func (t *trial) judgeStored(ctx context.Context, r *row) error {
	ledger := t.load.Stop()
	err := errors.Join(t.settle(ctx), t.count(ctx, ledger, r), r.broken())
	t.say(t.name, "%d acknowledged, %d stored", r.acknowledged, r.stored)
	return err
}

// say prints a line of progress.
func (a *arena) say(fault, format string, args ...any) {
	a.printing.Lock()
	defer a.printing.Unlock()
	fmt.Fprintf(a.out, "%6.1fs  %-19s %s\n", time.Since(a.begun).Seconds(), fault, fmt.Sprintf(format, args...))
}

// moment is a random time until the next blow.
func (a *arena) moment() time.Duration {
	return a.between/10 + rand.N(a.between*9/10)
}
