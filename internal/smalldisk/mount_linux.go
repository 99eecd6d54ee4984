package smalldisk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func mount(dir string, size int64) error {
	if err := unix.Mount("hooktape-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", dir, err)
	}
	return nil
}

// unmount also works while files are open.
func unmount(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) }

// fillAttempts bounds the race with who writes meanwhile: an allocation takes all it asks for or nothing.
const fillAttempts = 1000

func fill(dir, filler string) error {
	file, err := os.Create(filler)
	if err != nil {
		return err
	}
	defer file.Close()
	var at int64
	for range fillAttempts {
		var stat unix.Statfs_t
		if err := unix.Statfs(dir, &stat); err != nil {
			return err
		}
		free := int64(stat.Bavail) * stat.Bsize
		if free == 0 {
			return nil
		}
		switch err := unix.Fallocate(int(file.Fd()), 0, at, free); {
		case err == nil:
			at += free
		case !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("fill %s: %w", dir, err)
		}
	}
	return nil // all but what is written and removed all the time
}
