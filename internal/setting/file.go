package setting

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// Quiet is the time that a file must have been unchanged before ReadFiles reads it.
const Quiet = 200 * time.Millisecond

// patience bounds the time that ReadFiles waits for a writer.
const patience = 2 * time.Second

// ErrChanging reports that a file was still changing when ReadFiles stopped waiting: read it again later.
var ErrChanging = errors.New("is being written")

// Stamp identifies one version of a file, whether it was written to or replaced. The stamp of a missing file is zero.
type Stamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

// StampOf returns a file's stamp.
func StampOf(path string) Stamp {
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

// ReadFiles returns the texts of files that belong together and that other programs may be writing, and the stamp of
// the first. All of them were unchanged for the time Quiet before, and while they were read. The error of a file that
// cannot be read is that of os.ReadFile.
func ReadFiles(paths ...string) (texts [][]byte, first Stamp, err error) {
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
		list[i] = StampOf(path)
	}
	return list
}

// rest returns the time since the last change of any of the files, by their modification times. ReadFiles need not wait
// for files that were changed long ago.
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
