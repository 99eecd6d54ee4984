package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/cmd/embedded-clickhouse/exit"
	"hooktape/internal/smalldisk"
	"hooktape/proof/rig"
)

const (
	// smallDisk is the size of the disk that is filled, which is in memory.
	smallDisk = 1 << 30
	// fillsABlow is how often it is filled for what another fault does once: most of the time nothing is written just then.
	fillsABlow = 4
	// fullAtMost is how long it stays full.
	fullAtMost = 1200 * time.Millisecond
)

// canMount tries to mount a disk.
func canMount(a *arena) error {
	dir, err := a.rig.NewDir("disk")
	if err != nil {
		return err
	}
	disk, err := smalldisk.Mount(dir, smallDisk)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		return errors.Join(errors.New("it mounts a disk, for which it must run as root on Linux"), err)
	}
	if err != nil {
		return err
	}
	return disk.Unmount()
}

// diskFilled fills ClickHouse's disk again and again, while events are inserted and parts are merged. The engine ends when
// it cannot write, and is started again, as `hooktape serve` does.
func diskFilled(ctx context.Context, t *trial) (err error) {
	dir, err := t.rig.NewDir("disk")
	if err != nil {
		return err
	}
	disk, err := smalldisk.Mount(dir, smallDisk)
	if err != nil {
		return err
	}
	t.atEnd = disk.Unmount
	t.engine.Kill()
	if t.engine, err = t.rig.NewEngineIn(ctx, dir); err != nil {
		return err
	}
	if err := t.begin(ctx, t.dsn(), hurry); err != nil {
		return err
	}
	merging, stop := context.WithCancel(ctx)
	merged := make(chan struct{})
	defer func() { stop(); <-merged }()
	go func() {
		defer close(merged)
		for rig.Pause(merging, 100*time.Millisecond) == nil {
			_ = t.query(merging, func(conn driver.Conn) error { return conn.Exec(merging, "OPTIMIZE TABLE events FINAL") })
		}
	}()
	struck, fills := 0, t.arena.blows*fillsABlow
	for i := 0; i < fills || struck == 0 && i < 10*fills; i++ {
		if err := rig.Pause(ctx, t.moment()/2); err != nil {
			return err
		}
		if err := disk.Fill(); err != nil {
			return err
		}
		if err := rig.Pause(ctx, rand.N(fullAtMost)); err != nil {
			return err
		}
		if err := disk.Free(); err != nil {
			return err
		}
		if err := rig.Pause(ctx, t.moment()/10); err != nil {
			return err
		}
		if t.engine.Ended() {
			struck++
			if _, failed := exit.WriteError(t.engine.ExitStatus()); !failed {
				return errors.New("the engine has ended: " + t.engine.Said())
			}
			if err := t.engine.Start(ctx); err != nil {
				return err
			}
		}
		if err := t.goesOn(ctx); err != nil {
			return err
		}
		t.say(t.name, "%d of %d, ClickHouse ended %d times, %d acknowledged so far", i+1, fills, struck, t.load.Counts().Acked)
	}
	if struck == 0 {
		return errors.New("ClickHouse was never at work when the disk was filled")
	}
	return nil
}
