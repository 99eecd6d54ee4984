package config

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const firstFile = `# hooktape's configuration; hooktape.example.yaml explains every key.

sources:
  - name: demo
    token: %s

api:
  tokens:
    # Whoever logs in to the console, or calls the API, uses one of these.
    - name: admin
      token: %s
      role: admin

# Where events are delivered to as they arrive:
# endpoints:
#   - name: crm
#     url: https://crm.example.org/hooks
#     subscribe: {}

replay:
  # Replays to a URL, created with the role admin or on the local command line, may go to this machine and its network.
  allow_private: true
`

// EnsureFile writes a first configuration with random secrets, readable by its owner alone, if there is no file at
// path. It reports whether it wrote one.
func EnsureFile(path string) (written bool, err error) {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = fmt.Fprintf(file, firstFile, RandomToken(), RandomToken())
	return true, errors.Join(err, file.Sync(), file.Close())
}

// RandomToken returns 192 random bits, in characters that need no escaping in a URL.
func RandomToken() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ReplaceFile writes a file completely or not at all, because other programs may read it at any moment. An existing
// file keeps its mode and owner; a new one gets the given mode.
func ReplaceFile(path string, text []byte, mode os.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".hooktape-*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name())
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode()
		if owner, ok := old.Sys().(*syscall.Stat_t); ok {
			// Needed when root replaces a file that the service's user reads; other users own the file already.
			_ = next.Chown(int(owner.Uid), int(owner.Gid))
		}
	}
	_, err = next.Write(text)
	if err = errors.Join(err, next.Chmod(mode), next.Sync(), next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), path)
}
