package libchdb

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
)

const (
	// keepFree is how much of the disk the engine leaves free: it refuses an insert (NOT_ENOUGH_SPACE) and begins no merge
	// that would take more. It is less than what the spool leaves free by default, so that a backlog on a disk that fills
	// up still drains, which frees space.
	keepFree = 64 << 20
	// reserveSize is enough for what the engine writes when it starts, which is some kilobytes and a block a table.
	reserveSize = 4 << 20
)

// reserve is a file that is only there to be removed: an engine that has ended because the disk was full can start again
// and answer queries while it still is.
type reserve string

func reserveIn(dir string) reserve { return reserve(filepath.Join(dir, "hooktape-reserve")) }

// release gives the space back.
func (r reserve) release() error {
	err := os.Remove(string(r))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// take writes the file. On a disk without space for it there is none until the next start.
func (r reserve) take() {
	data := make([]byte, reserveSize)
	rand.Read(data) // which no file system compresses
	if os.WriteFile(string(r), data, 0o600) != nil {
		os.Remove(string(r))
	}
}
