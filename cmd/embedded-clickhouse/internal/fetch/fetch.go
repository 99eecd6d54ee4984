// Package fetch downloads the ClickHouse engine, libchdb.so, into the user's cache: in one pinned version, completely
// or not at all. Its makers publish it for all systems as an npm package, so fetch runs npm, which honours the user's
// registry, proxy and certificates.
package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Run installs the engine at LibraryPath, unless it is there and force is false. out receives messages.
func Run(ctx context.Context, force bool, out io.Writer) error {
	library, err := LibraryPath()
	if err != nil {
		return err
	}
	b, err := currentBuild()
	if err != nil {
		return err
	}
	if info, err := os.Stat(library); err == nil && !force && (b.library == 0 || info.Size() == b.library) {
		fmt.Fprintf(out, "the engine is there: %s\n", library)
		return nil
	}
	started := time.Now()
	if err := download(ctx, library, b, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "the engine is ready after %.0f s: %s\n", time.Since(started).Seconds(), library)
	return nil
}

// download fetches, checks and unpacks the engine in a directory beside its final one, and renames the complete file
// into place.
func download(ctx context.Context, library string, b build, out io.Writer) error {
	cache := filepath.Dir(filepath.Dir(library))
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		return fmt.Errorf("create the cache: %w", err)
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
	unpacked := filepath.Join(dir, "libchdb.so")
	if err := unpack(tarball, b, unpacked); err != nil {
		return fmt.Errorf("unpack the engine in %s, which needs about 1 GB: %w", cache, err)
	}
	if err := os.Rename(unpacked, library); err != nil {
		return fmt.Errorf("move the engine into place: %w", err)
	}
	return nil
}

// npmPack has npm fetch the tarball into dir and returns its path.
func npmPack(ctx context.Context, dir string, b build, out io.Writer) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", errors.New("npm is not installed: install Node.js, which brings it, or put libchdb.so somewhere " +
			"and set CHDB_LIB_PATH")
	}
	cache := filepath.Join(dir, "npm")
	// The growth of a separate cache shows the progress.
	cmd := exec.CommandContext(ctx, npm, "pack", b.npm+"@"+Version, "--pack-destination", dir, "--cache", cache,
		"--ignore-scripts", "--no-update-notifier", "--loglevel", "error")
	cmd.Dir = dir
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var messages bytes.Buffer
	cmd.Stderr = &messages
	stop := showProgress(out, cache, b.packed)
	err = cmd.Run()
	stop()
	if ctx.Err() != nil {
		return "", errors.New("fetching the engine was broken off")
	}
	if err != nil {
		return "", fmt.Errorf("npm could not fetch the engine (%w): %s; check the network, the disk and npm's "+
			"registry setting, then try again", err, strings.Join(strings.Fields(messages.String()), " "))
	}
	// The tarball is beside the cache now. A small disk may not hold both.
	if err := os.RemoveAll(cache); err != nil {
		return "", fmt.Errorf("remove npm's cache: %w", err)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(found) != 1 {
		return "", fmt.Errorf("npm pack left %d tarballs where one was expected: is your npm very old?", len(found))
	}
	return found[0], nil
}

// unpack compares the tarball with the pinned checksum, and writes its libchdb.so to path.
func unpack(tarball string, b build, path string) error {
	file, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha512.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum.Sum(nil)); b.integrity != "" && got != b.integrity {
		return fmt.Errorf("what npm fetched is not the engine that hooktape knows (checksum %s… instead of %s…): "+
			"nothing was installed; if your npm registry is a mirror, ask who runs it", got[:19], b.integrity[:19])
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(unzipped); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return errors.New("the package has no libchdb.so")
		}
		if err != nil {
			return err
		}
		if entry.Typeflag == tar.TypeReg && entry.Name == "package/libchdb.so" {
			return writeFile(path, archive)
		}
	}
}

// writeFile returns when the file is on the disk: later its size is the proof that it is complete.
func writeFile(path string, r io.Reader) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Sync(), file.Close())
}
