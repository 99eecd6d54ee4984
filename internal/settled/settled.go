// Package settled reads files that other programs write. It waits until the writer has finished.
package settled

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// Quiet is how long a file must have been unchanged before it is read.
const Quiet = 200 * time.Millisecond

// patience bounds how long Read waits for a writer.
const patience = 2 * time.Second

// ErrChanging says that a file did not come to rest while Read waited: it is to be read later.
var ErrChanging = errors.New("is being written")

// Stamp tells one version of a file from another, whether it was written to or replaced. That of a missing file is zero.
type Stamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

// Of returns a file's stamp.
func Of(path string) Stamp {
	info, err := os.Stat(path)
	if err != nil {
		return Stamp{}
	}
	s := Stamp{modified: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// Read returns the text of the files, which belong together, and the stamp of the first. All of them were unchanged for as
// long as Quiet before, and while they were read. The error of a file that cannot be read is that of os.ReadFile.
func Read(paths ...string) (texts [][]byte, first Stamp, err error) {
	begun := time.Now()
	since, seen := begun, stamps(paths)
	for {
		if wait := Quiet - max(rest(seen), time.Since(since)); wait > 0 {
			time.Sleep(wait)
		} else if texts, err = readAll(paths); err != nil {
			return nil, Stamp{}, err
		}
		now := stamps(paths)
		switch {
		case !slices.Equal(now, seen):
			since, seen, texts = time.Now(), now, nil
		case texts != nil:
			return texts, now[0], nil
		}
		if time.Since(begun) > patience {
			return nil, Stamp{}, fmt.Errorf("%s %w", paths[0], ErrChanging)
		}
	}
}

func stamps(paths []string) []Stamp {
	list := make([]Stamp, len(paths))
	for i, path := range paths {
		list[i] = Of(path)
	}
	return list
}

// rest returns how long ago the last of the files was changed, by their own times: a file that was left alone need not be
// waited for.
func rest(list []Stamp) time.Duration {
	last := time.Duration(-1)
	for i, s := range list {
		if ago := time.Since(s.modified); i == 0 || ago < last {
			last = ago
		}
	}
	return last
}

func readAll(paths []string) (texts [][]byte, err error) {
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}
