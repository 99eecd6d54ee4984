// Package fetch downloads the ClickHouse engine, libchdb.so, into the user's cache: in one pinned version, completely
// or not at all. Its makers publish it for all systems as an npm package, so fetch runs npm, which honours the user's
// registry, proxy and certificates.
package fetch

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// leftoverAge is the age at which a directory of a fetch is a leftover: far above the time that a fetch takes.
const leftoverAge = 24 * time.Hour

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
	removeLeftovers(cache)
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
	if err := check(tarball, b); err != nil {
		return err
	}
	unpacked := filepath.Join(dir, "libchdb.so")
	if err := unpack(tarball, unpacked); err != nil {
		return fmt.Errorf("unpack the engine in %s, which needs about 1 GB: %w", cache, err)
	}
	if err := os.Rename(unpacked, library); err != nil {
		return fmt.Errorf("move the engine into place: %w", err)
	}
	return nil
}

// removeLeftovers removes directories of fetches that were killed.
func removeLeftovers(cache string) {
	found, _ := filepath.Glob(filepath.Join(cache, "fetch-*"))
	for _, dir := range found {
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > leftoverAge {
			_ = os.RemoveAll(dir)
		}
	}
}

// check compares the tarball with the pinned checksum.
func check(tarball string, b build) error {
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
	return nil
}

// unpack writes the tarball's libchdb.so to path.
func unpack(tarball, path string) error {
	file, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer file.Close()
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
