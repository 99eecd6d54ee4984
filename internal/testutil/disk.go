package testutil

import (
	"errors"
	"os"
	"testing"
)

// Disk is a file system in memory that a test may fill.
type Disk struct {
	dir  string
	size int64
}

// MountDisk mounts a new file system of size bytes on dir, which must exist. It needs Linux and the right to mount.
func MountDisk(dir string, size int64) (*Disk, error) {
	if err := mount(dir, size); err != nil {
		return nil, err
	}
	return &Disk{dir, size}, nil
}

// NewDisk mounts a disk for the duration of a test. It skips the test where mounting is not allowed.
func NewDisk(t testing.TB, dir string, size int64) *Disk {
	t.Helper()
	d, err := MountDisk(dir, size)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NOT TESTED: data on a full disk. The test mounts a file system, which needs Linux and root: %v", err)
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

// Fill takes all free space until Free. The space of files removed meanwhile can be written again.
func (d *Disk) Fill() error { return fill(d.dir) }

// Free releases the space that Fill took.
func (d *Disk) Free() error { return resize(d.dir, d.size) }

// Unmount removes the file system with everything in it.
func (d *Disk) Unmount() error { return unmount(d.dir) }
