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

// suite is one run of the chaos tests.
type suite struct {
	harness *harness.Harness
	scale
	begun time.Time

	printing sync.Mutex
	out      io.Writer
}

// fault is a failure that hooktape must survive.
type fault struct {
	name string
	// strike injects the fault. It returns when everything runs again; the load continues.
	strike func(context.Context, *trial) error
	// possible returns an error on machines that cannot inject the fault; nil: all can.
	possible func(*suite) error
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

// all injects the faults, some at a time, and prints the tables. Its error lists the broken promises.
func (a *suite) all(ctx context.Context, only string) error {
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
	there := slices.DeleteFunc(slices.Clone(endpointFaults), func(f endpointFault) bool {
		return !strings.Contains(f.name, only)
	})
	between := slices.DeleteFunc(slices.Clone(forwardFaults), func(f endpointFault) bool {
		return !strings.Contains(f.name, only)
	})
	stored, received, forwarded := make([]row, len(here)), make([]receivedRow, len(there)), make([]forwardRow,
		len(between))
	failed := make([]error, len(here)+len(there)+len(between))
	var group errgroup.Group
	group.SetLimit(a.atOnce)
	begin := func(i int, one func() error) {
		group.Go(func() error { failed[i] = one(); return nil }) // a failure does not stop the other faults
	}
	for i, f := range there { // first, because they take longest
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
	for i, f := range between {
		forwarded[i].fault = f.name
		begin(len(here)+len(there)+i, func() error {
			return a.one(ctx, f.name, f.strike, func(t *trial) error { return t.judgeForwarded(ctx, &forwarded[i]) })
		})
	}
	_ = group.Wait()
	printTable(a.out, stored)
	printTable(a.out, received)
	printTable(a.out, forwarded)
	return errors.Join(failed...)
}

// one injects one fault and checks the result.
func (a *suite) one(ctx context.Context, name string, strike func(context.Context, *trial) error,
	judge func(*trial) error) (err error) {
	t := &trial{suite: a, name: name}
	defer t.end()
	if t.engine, _, err = a.harness.NewDatabase(ctx); err == nil {
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

// judgeStored counts the results of the requests in r. It returns the broken promises as an error.
func (t *trial) judgeStored(ctx context.Context, r *row) error {
	ledger := t.load.Stop()
	err := errors.Join(t.settle(ctx), t.count(ctx, ledger, r), r.broken())
	t.say(t.name, "%d acknowledged, %d stored", r.acknowledged, r.stored)
	return err
}

// say prints a line of progress.
func (a *suite) say(fault, format string, args ...any) {
	a.printing.Lock()
	defer a.printing.Unlock()
	fmt.Fprintf(a.out, "%6.1fs  %-19s %s\n", time.Since(a.begun).Seconds(), fault, fmt.Sprintf(format, args...))
}

// moment returns a random time until the next round.
func (a *suite) moment() time.Duration {
	return a.between/10 + rand.N(a.between*9/10)
}
