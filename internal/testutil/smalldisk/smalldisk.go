// Package smalldisk gives tests a file system of their own that they may fill, in memory.
package smalldisk

import (
	"errors"
	"os"
	"testing"
)

// Disk is a mounted file system.
type Disk struct {
	dir  string
	size int64
}

// Mount mounts a new file system of so many bytes on dir, which exists. It needs Linux and the right to mount.
func Mount(dir string, size int64) (*Disk, error) {
	if err := mount(dir, size); err != nil {
		return nil, err
	}
	return &Disk{dir, size}, nil
}

// MountFor mounts a disk for the length of a test, which is skipped where that is not allowed.
func MountFor(t testing.TB, dir string, size int64) *Disk {
	t.Helper()
	d, err := Mount(dir, size)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NOT TRIED, what becomes of data on a full disk: this test mounts a file system, for which it must run as root on Linux: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return d
}

// Fill takes all space that is left, at once, until Free. What is removed meanwhile can be written again.
func (d *Disk) Fill() error { return fill(d.dir) }

// Free gives back what Fill took.
func (d *Disk) Free() error { return resize(d.dir, d.size) }

// Unmount removes the file system and all that is in it.
func (d *Disk) Unmount() error { return unmount(d.dir) }
