package main

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// replaceFile writes a file, whole or not at all: other programs read it at any moment. A file that is there keeps its mode and
// owner; a new one has the given mode.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".hooktape-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name())
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode()
		if owner, ok := old.Sys().(*syscall.Stat_t); ok {
			_ = next.Chown(int(owner.Uid), int(owner.Gid)) // root can, and must: the service's user reads it; others own it already
		}
	}
	_, err = next.Write(text)
	if err = errors.Join(err, next.Chmod(mode), next.Sync(), next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
