package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// The faults of the disk.

func writeError(ctx context.Context, t *trial) error {
	return t.diskFails(ctx, errorfs.OpFileWrite)
}

func fsyncError(ctx context.Context, t *trial) error {
	return t.diskFails(ctx, errorfs.OpFileSync, errorfs.OpFileSyncData)
}

// diskFails makes operations on the spool's logs fail. From then on hooktape must acknowledge nothing. Restarted on the
// same files and a working disk, it must have everything that it acknowledged before.
func (t *trial) diskFails(ctx context.Context, kinds ...errorfs.OpKind) error {
	dir, err := t.harness.NewDir("spool")
	if err != nil {
		return err
	}
	operations := func(op errorfs.Op) bool {
		return slices.Contains(kinds, op.Kind) && strings.HasSuffix(op.Path, ".log")
	}
	d := newDisk(vfs.Default, operations)
	if err := t.beginLocal(ctx, d, dir); err != nil {
		return err
	}
	return t.repeat(ctx, func() error {
		d.broken.Store(true)
		if err := t.acknowledgesNothing(ctx); err != nil {
			return err
		}
		d = newDisk(vfs.Default, operations)
		return t.restartLocal(ctx, d, dir)
	})
}

// powerCut simulates a power failure: all unsynced data is lost, or in every second round half of it, because a disk
// may have written some blocks early.
func powerCut(ctx context.Context, t *trial) error {
	const dir = "/spool"
	everything := func(errorfs.Op) bool { return true }
	memory, cuts := vfs.NewCrashableMem(), 0
	memory.TestingSetDiskUsage(plenty)
	d := newDisk(memory, everything)
	if err := t.beginLocal(ctx, d, dir); err != nil {
		return err
	}
	return t.repeat(ctx, func() error {
		d.broken.Store(true)
		if err := t.acknowledgesNothing(ctx); err != nil {
			return err
		}
		memory = memory.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: cuts % 2 * 50,
			RNG: rand.New(rand.NewPCG(seed, uint64(cuts)))})
		memory.TestingSetDiskUsage(plenty)
		d = newDisk(memory, everything)
		cuts++
		return t.restartLocal(ctx, d, dir)
	})
}

// plenty is the free space that a disk in memory reports.
var plenty = vfs.DiskUsage{AvailBytes: 1 << 40, TotalBytes: 1 << 40}

// disk is a file system whose operations fail, if they are selected, once it is broken.
type disk struct {
	vfs.FS
	broken atomic.Bool
}

func newDisk(under vfs.FS, fails func(errorfs.Op) bool) *disk {
	d := &disk{}
	d.FS = errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if d.broken.Load() && fails(op) {
			return syscall.EIO
		}
		return nil
	}))
	return d
}
