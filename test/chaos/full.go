package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"golang.org/x/sync/errgroup"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/simulate"
	"hooktape/internal/testutil"
	"hooktape/test/harness"
	"hooktape/test/load"
)

const (
	// smallDisk is the size of the disk in bytes. It is in memory.
	smallDisk = 1 << 30
	// fillsPerRound is high because a fill has no effect unless ClickHouse writes at that moment.
	fillsPerRound = 4
	// fullRate is the number of requests a second. A slow machine cannot keep up with more over so many fills.
	fullRate = 400
	// fullAtMost is the longest time that the disk stays full.
	fullAtMost = 1200 * time.Millisecond
)

// canMount tries to mount a disk.
func canMount(a *suite) error {
	dir, err := a.harness.NewDir("disk")
	if err != nil {
		return err
	}
	disk, err := testutil.MountDisk(dir, smallDisk)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return errors.Join(errors.New("it mounts a disk, for which it must run as root on Linux"), err)
	}
	if err != nil {
		return err
	}
	return disk.Unmount()
}

// diskFilled fills ClickHouse's disk repeatedly during inserts and merges. The engine exits when it cannot write.
// diskFilled restarts it, as `hooktape serve` does.
func diskFilled(ctx context.Context, t *trial) (err error) {
	dir, err := t.harness.NewDir("disk")
	if err != nil {
		return err
	}
	disk, err := testutil.MountDisk(dir, smallDisk)
	if err != nil {
		return err
	}
	t.atEnd = disk.Unmount
	t.engine.Kill()
	if t.engine, _, err = t.harness.NewDatabaseIn(ctx, dir); err != nil {
		return err
	}
	if t.hooktape, err = t.harness.NewHooktape(ctx, t.dsn(), hurry); err != nil {
		return err
	}
	t.addr = t.hooktape.Addr
	if err := t.startLoadOf(ctx, load.Options{Bodies: simulate.NewWebhooks(seed),
		Rate: min(t.rate, fullRate)}); err != nil {
		return err
	}
	beside, stop := context.WithCancel(ctx)
	group, beside := errgroup.WithContext(beside)
	defer func() { stop(); err = errors.Join(err, group.Wait()) }()
	group.Go(func() error {
		for harness.Pause(beside, 100*time.Millisecond) == nil {
			_ = t.query(beside, func(conn driver.Conn) error {
				return conn.Exec(beside, "OPTIMIZE TABLE events FINAL")
			})
		}
		return nil
	})
	var struck atomic.Int64
	group.Go(func() error { return t.startAgain(beside, &struck) })
	fills := int64(t.suite.rounds * fillsPerRound)
	for i := int64(0); i < fills || struck.Load() == 0 && i < 10*fills; i++ {
		if err := harness.Pause(ctx, t.moment()/2); err != nil {
			return err
		}
		if err := disk.Fill(); err != nil {
			return err
		}
		if err := harness.Pause(ctx, rand.N(fullAtMost)); err != nil {
			return err
		}
		if err := disk.Free(); err != nil {
			return err
		}
		if err := t.goesOn(ctx); err != nil {
			return err
		}
		t.say(t.name, "%d of %d, ClickHouse ended %d times, %d acknowledged so far", i+1, fills, struck.Load(),
			t.load.Counts().Acked)
	}
	if struck.Load() == 0 {
		return errors.New("ClickHouse was never at work when the disk was filled")
	}
	// An engine that could not write may take a moment to exit.
	return t.until(ctx, "ClickHouse to answer", func() bool { return t.stored(ctx) > 0 })
}

// startAgain restarts the engine whenever it exits, until ctx ends. It counts the exits because of a write error in
// struck.
func (t *trial) startAgain(ctx context.Context, struck *atomic.Int64) error {
	for harness.Pause(ctx, 50*time.Millisecond) == nil {
		if !t.engine.Ended() {
			continue
		}
		if _, failed := embedded.WriteError(t.engine.ExitStatus()); failed {
			struck.Add(1)
		}
		_ = t.engine.Start(ctx) // fails on a full disk
	}
	return nil
}
