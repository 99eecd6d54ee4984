// Package fetch downloads the ClickHouse engine, libchdb.so, into the user's cache: once, in one pinned version,
// completely or not at all. Its makers publish it for all systems as an npm package, so fetch runs npm, which honours
// the user's registry, proxy and certificates.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Options configure Run.
type Options struct {
	// Force fetches the engine even if it is installed. Verify compares the checksum of an installed engine, not only
	// its size.
	Force, Verify bool
	Out           io.Writer // receives messages
}

// Run installs the engine at LibraryPath. Of two processes that call it at the same time, the second waits for the
// first.
func Run(ctx context.Context, o Options) error {
	library, err := LibraryPath()
	if err != nil {
		return err
	}
	b, err := currentBuild()
	if err != nil {
		return err
	}
	if done, err := alreadyThere(library, b, o); done || err != nil {
		return err
	}
	unlock, err := lock(filepath.Dir(filepath.Dir(library)), o.Out)
	if err != nil {
		return err
	}
	defer unlock()
	// The other process may have installed it meanwhile.
	if done, err := alreadyThere(library, b, o); done || err != nil {
		return err
	}
	started := time.Now()
	if err := download(ctx, library, b, o.Out); err != nil {
		if errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("the disk of %s is full: the engine needs about 1 GB to unpack", filepath.Dir(library))
		}
		return err
	}
	fmt.Fprintf(o.Out, "the engine is ready after %.0f s: %s\n", time.Since(started).Seconds(), library)
	return nil
}

// alreadyThere reports whether the engine is installed, and prints a line if it is.
func alreadyThere(library string, b build, o Options) (bool, error) {
	info, err := os.Stat(library)
	if o.Force || err != nil || b.library != 0 && info.Size() != b.library {
		return false, nil
	}
	if o.Verify {
		if err := verifyLibrary(library); err != nil {
			return false, err
		}
	}
	fmt.Fprintf(o.Out, "the engine is there: %s\n", library)
	return true, nil
}

// lock lets one process fetch at a time. The kernel releases the lock when a process ends.
func lock(dir string, out io.Writer) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the cache: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "fetch.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the cache: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		fmt.Fprintln(out, "waiting for another fetch of the engine")
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	return func() { file.Close() }, nil
}

// download fetches, checks and unpacks the engine in a directory beside its final one, and renames the complete file
// into place. It holds the lock, so other such directories are leftovers of killed processes.
func download(ctx context.Context, library string, b build, out io.Writer) error {
	cache := filepath.Dir(filepath.Dir(library))
	leftovers, _ := filepath.Glob(filepath.Join(cache, "fetch-*"))
	for _, dir := range leftovers {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			os.RemoveAll(dir)
		}
	}
	dir, err := os.MkdirTemp(cache, "fetch-")
	if err != nil {
		return fmt.Errorf("create a directory in the cache: %w", err)
	}
	defer os.RemoveAll(dir)
	tarball, err := npmPack(ctx, dir, b, out)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "checking and unpacking the engine")
	if err := verifyTarball(tarball, b); err != nil {
		return err
	}
	return install(tarball, dir, library)
}
