package libchdb

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

const (
	// keepFree is the disk space that the engine leaves free: it refuses an insert (NOT_ENOUGH_SPACE) and begins no
	// merge that would need more. The spool leaves more free by default, so its backlog still drains on a full disk,
	// which frees space.
	keepFree = 64 << 20
	// reserveSize is enough for a start of the engine, which writes some kilobytes and a block for each table.
	reserveSize = 4 << 20
)

// reserve is a file that occupies disk space until it is removed: an engine that has ended because the disk was full
// can start again, and answer queries while the disk is still full.
type reserve string

func reserveIn(dir string) reserve { return reserve(filepath.Join(dir, "hooktape-reserve")) }

// release frees the space.
func (r reserve) release() error {
	err := os.Remove(string(r))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// take writes the file. If the disk has no space for it, there is no reserve until the next start.
func (r reserve) take() {
	data := make([]byte, reserveSize)
	rand.Read(data) // not compressible by any file system
	if os.WriteFile(string(r), data, 0o600) != nil {
		os.Remove(string(r))
	}
}
