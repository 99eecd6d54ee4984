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
	short bool
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
	// tested has the tests that prove the same at every make test, as folder/TestName. A short run of all faults leaves
	// this one out.
	tested []string
}

var faults = []fault{
	// The faults "both killed" and "killed forwarding" kill it, too.
	{name: "hooktape killed", strike: hooktapeKilled, tested: []string{"cmd/hooktape/TestKillBetweenAnswerAndDrain",
		"ingest/TestSameBatchAgain", "ingest/TestForwardAfterAKill"}},
	{name: "ClickHouse killed", strike: clickHouseKilled},
	{name: "both killed", strike: bothKilled},
	{name: "ClickHouse away", strike: clickHouseAway},
	{name: "ClickHouse frozen", strike: clickHouseFrozen},
	{name: "spool full", strike: spoolFull},
	{name: "write error", strike: writeError, tested: []string{"internal/spool/TestFailure"}},
	{name: "fsync error", strike: fsyncError, tested: []string{"internal/spool/TestFailure"}},
	{name: "power cut", strike: powerCut, tested: []string{"internal/spool/TestCrash"}},
	{name: "disk filled", strike: diskFilled, possible: canMount, tested: []string{"cmd/hooktape/TestFullDisk"}},
	{name: "bits flipped", strike: bitsFlipped, tested: []string{"internal/spool/TestRot",
		"cmd/hooktape/TestDamagedSpool"}},
}

// group has faults whose results are judged alike. judge returns the row of a fault's results, which is a pointer to a
// struct, and the broken promises as an error.
type group struct {
	faults []fault
	judge  func(*trial, context.Context) (row any, err error)
}

// groups begin with the faults that take longest.
var groups = []group{
	{endpointFaults, (*trial).judgeReceived},
	{faults, (*trial).judgeStored},
	{forwardFaults, (*trial).judgeForwarded},
}

// all injects the faults, some at a time, and prints the tables. Its error lists the broken promises. It is also an
// error if there is no fault to inject.
func (a *suite) all(ctx context.Context, only string) error {
	var working errgroup.Group
	working.SetLimit(a.atOnce)
	chosen := false
	tables, failed := make([][]any, len(groups)), make([][]error, len(groups))
	for i, g := range groups {
		tables[i], failed[i] = make([]any, len(g.faults)), make([]error, len(g.faults))
		for j, f := range g.faults {
			if !strings.Contains(f.name, only) || a.short && only == "" && f.tested != nil {
				continue
			}
			chosen = true
			if !a.possible(f) {
				continue
			}
			working.Go(func() error { // a failure does not stop the other faults
				tables[i][j], failed[i][j] = a.one(ctx, f, g.judge)
				return nil
			})
		}
	}
	_ = working.Wait()
	if !chosen {
		return fmt.Errorf("-only: no fault has a name with %q", only)
	}
	for i := range tables {
		printTable(a.out, slices.DeleteFunc(tables[i], func(row any) bool { return row == nil }))
	}
	return errors.Join(slices.Concat(failed...)...)
}

// possible reports whether this machine can inject a fault.
func (a *suite) possible(f fault) bool {
	if f.possible == nil {
		return true
	}
	err := f.possible(a)
	if err != nil {
		a.say(f.name, "NOT TRIED: %v", err)
	}
	return err == nil
}

// one injects one fault and judges the results.
func (a *suite) one(ctx context.Context, f fault, judge func(*trial, context.Context) (any, error)) (row any,
	err error) {
	t := &trial{suite: a, name: f.name}
	defer t.end()
	if t.engine, _, err = a.harness.NewDatabase(ctx); err == nil {
		err = f.strike(ctx, t)
	}
	if err == nil {
		row, err = judge(t, ctx)
	}
	if err != nil {
		a.say(f.name, "FAILED: %v", err)
		err = fmt.Errorf("%s: %w", f.name, err)
	}
	return row, err
}

// judgeStored counts the results of the requests.
func (t *trial) judgeStored(ctx context.Context) (any, error) {
	ledger, r := t.load.Stop(), &row{fault: t.name}
	err := errors.Join(t.settle(ctx), t.count(ctx, ledger, r), r.broken())
	t.say(t.name, "%d acknowledged, %d stored", r.acknowledged, r.stored)
	return r, err
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
