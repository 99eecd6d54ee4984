package fetch

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// verifyTarball compares the tarball with the pinned checksum.
func verifyTarball(tarball string, b build) error {
	if b.integrity == "" {
		return nil
	}
	sum, err := hashFile(tarball, sha512.New())
	if err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum); got != b.integrity {
		return fmt.Errorf("the engine that npm fetched is not the one that hooktape knows (checksum %s… instead of "+
			"%s…): "+
			"nothing was installed; if your npm registry is a mirror, ask who runs it", got[:19], b.integrity[:19])
	}
	return nil
}

// install unpacks libchdb.so and renames it into place. It writes the checksum first: no library is installed without
// one.
func install(tarball, dir, library string) error {
	unpacked := filepath.Join(dir, "libchdb.so")
	sum, err := unpack(tarball, unpacked)
	if err != nil {
		return fmt.Errorf("unpack the engine: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		return fmt.Errorf("create the engine's directory: %w", err)
	}
	line := hex.EncodeToString(sum) + "  libchdb.so\n"
	if err := os.WriteFile(library+".sha256", []byte(line), 0o644); err != nil {
		return fmt.Errorf("record the engine's checksum: %w", err)
	}
	if err := os.Rename(unpacked, library); err != nil {
		return fmt.Errorf("move the engine into place: %w", err)
	}
	return nil
}

// unpack writes the tarball's libchdb.so to path and returns its sha256.
func unpack(tarball, path string) ([]byte, error) {
	file, err := os.Open(tarball)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	for archive := tar.NewReader(unzipped); ; {
		entry, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the package has no libchdb.so")
		}
		if err != nil {
			return nil, err
		}
		if entry.Typeflag == tar.TypeReg && entry.Name == "package/libchdb.so" {
			return writeFile(path, archive)
		}
	}
}

// writeFile returns when the file is on the disk: later its size is the proof that it is complete.
func writeFile(path string, r io.Reader) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, sum), r)
	return sum.Sum(nil), errors.Join(err, file.Sync(), file.Close())
}

// verifyLibrary compares the installed library with the checksum recorded beside it.
func verifyLibrary(library string) error {
	recorded, err := os.ReadFile(library + ".sha256")
	if err != nil {
		return fmt.Errorf("the engine's checksum was not recorded: run embedded-clickhouse fetch --force (%w)", err)
	}
	sum, err := hashFile(library, sha256.New())
	if err != nil {
		return err
	}
	if want, _, _ := strings.Cut(string(recorded), " "); want != hex.EncodeToString(sum) {
		return fmt.Errorf("the engine %s is damaged: run embedded-clickhouse fetch --force", library)
	}
	return nil
}

func hashFile(path string, h hash.Hash) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if _, err := io.Copy(h, file); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return h.Sum(nil), nil
}
