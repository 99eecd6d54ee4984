package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockPatience is the time that a start waits for the data directory. A killed engine holds it until the kernel has
	// freed its memory, which takes seconds on a busy machine.
	lockPatience = 15 * time.Second
	lockPause    = 50 * time.Millisecond
)

// lockDirectory creates the data directory and locks it for this process. The kernel releases the lock when the process
// ends, for whatever reason. While another process holds it lockDirectory waits, until patience or ctx ends.
func lockDirectory(ctx context.Context, path string, patience time.Duration) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(path, "hooktape.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	lock := func() error { return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) }
	err = lock()
	for deadline := time.Now().Add(patience); errors.Is(err, unix.EWOULDBLOCK) && ctx.Err() == nil &&
		time.Now().Before(deadline); {
		time.Sleep(lockPause)
		err = lock()
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return nil, fmt.Errorf("the data in %s is in use by another embedded-clickhouse: stop it or choose another "+
			"directory (--path; for hooktape, --data)", path)
	} else if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return file, nil
}
