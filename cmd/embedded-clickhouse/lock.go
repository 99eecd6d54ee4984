package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockDirectory creates the data directory and takes it for this process. The kernel gives the lock back when the process
// ends, however it ends.
func lockDirectory(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(path, "hooktape.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		file.Close()
		return nil, fmt.Errorf("the data in %s is in use by another embedded-clickhouse: stop it or choose another --path", path)
	} else if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock the data directory: %w", err)
	}
	return file, nil
}
