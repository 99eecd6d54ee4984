package testutil

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

func mount(dir string, size int64) error { return tmpfs(dir, size, 0) }

func tmpfs(dir string, size int64, flags uintptr) error {
	if err := unix.Mount("hooktape-test", dir, "tmpfs", flags, fmt.Sprintf("size=%d", size)); err != nil {
		return fmt.Errorf("mount a tmpfs of %d bytes on %s: %w", size, dir, err)
	}
	return nil
}

func resize(dir string, size int64) error { return tmpfs(dir, size, unix.MS_REMOUNT) }

// unmount works even while files are open.
func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// fillAttempts limits the race with concurrent writers: a disk cannot become smaller than its content.
const fillAttempts = 1000

func fill(dir string) (err error) {
	for range fillAttempts {
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			return err
		}
		err = resize(dir, int64(stat.Blocks-stat.Bfree)*stat.Bsize)
		if !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return err
}
