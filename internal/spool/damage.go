package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Damage describes a database that was found damaged and set aside.
type Damage struct {
	Path   string    `json:"path"`   // where it lies now
	Found  time.Time `json:"found"`  // when
	Reason string    `json:"reason"` // what was wrong
	// Salvaged counts the records that could be read; they wait again, as
	// suspects.
	Salvaged uint64 `json:"salvaged"`
	// Lost counts the numbers missing before the last record that is known
	// of. Some of them may have been acked before.
	Lost uint64 `json:"lost"`
	// Unreadable names the files that could not be read to their end, or are
	// missing. What they held is not always counted in Lost.
	Unreadable []string `json:"unreadable,omitempty"`
}

const (
	quarantinePrefix = "damaged-"
	reportName       = "damage.json" // in a damaged database: its Damage
	markName         = "DAMAGED"     // in a database: damage was met while it ran
)

func quarantineName(now time.Time) string {
	return quarantinePrefix + now.UTC().Format("20060102T150405.000Z")
}

// environment lists the errors that say nothing about the data: somebody has
// to mend the machine, and then the same directory opens.
var environment = []error{
	syscall.EACCES, syscall.EPERM, syscall.EROFS,
	syscall.ENOSPC, syscall.EDQUOT,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM,
	syscall.EAGAIN, syscall.EBUSY,
	ErrFailed, errNoRoom,
}

// isDamage tells whether err means that data cannot be read. What is not
// known to be harmless is damage: to salvage from a sound database loses
// nothing.
func isDamage(err error) bool {
	if err == nil {
		return false
	}
	for _, e := range environment {
		if errors.Is(err, e) {
			return false
		}
	}
	return true
}

// corrupt turns an error of reading into a CorruptionError if it is one, and
// sees to it that the next Next salvages, or the next Open. The first damage
// stands for all.
func (s *Spool) corrupt(err error) error {
	if !isDamage(err) {
		return err
	}
	if err := s.failure(); err != nil {
		return err // what was not written cannot be read
	}
	if !s.running.Load() {
		return corruption(s.path(dbName), err) // Open deals with it now
	}
	damage := corruption(s.path(dbName), err)
	if !s.damage.CompareAndSwap(nil, damage) {
		return s.damage.Load()
	}
	s.log.Error("spool: damage found: records are handed out again once it is salvaged",
		"path", damage.Path, "error", damage.Err)
	mark := s.fs.PathJoin(s.path(dbName), markName)
	if err := writeFile(s.fs, mark, []byte(damage.Error())); err != nil {
		s.log.Error("spool: damage could not be marked", "path", mark, "error", err)
	}
	select {
	case s.harmed <- struct{}{}:
	default:
	}
	return damage
}

// checkMark returns the damage that was met while the database ran.
func checkMark(fs vfs.FS, db string) error {
	reason, err := readFile(fs, fs.PathJoin(db, markName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("marked earlier: %s", reason)
}

// listDamage finds what was set aside and still lies there.
func listDamage(fs vfs.FS, dir string) (list []Damage, err error) {
	names, err := fs.List(dir)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !strings.HasPrefix(name, quarantinePrefix) {
			continue
		}
		d := Damage{}
		// A report that is missing or broken does not matter: the directory
		// itself is what has to be seen.
		if report, err := readFile(fs, fs.PathJoin(dir, name, reportName)); err == nil {
			_ = json.Unmarshal(report, &d)
		}
		d.Path = fs.PathJoin(dir, name)
		list = append(list, d)
	}
	return list, nil
}

func readFile(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// writeFile writes a small file, durably.
func writeFile(fs vfs.FS, path string, data []byte) error {
	if err := writeUnnamed(fs, path, data); err != nil {
		return err
	}
	return syncDir(fs, fs.PathDir(path))
}

// writeUnnamed writes a small file whose bytes are durable, and whose name is
// not yet.
func writeUnnamed(fs vfs.FS, path string, data []byte) error {
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
