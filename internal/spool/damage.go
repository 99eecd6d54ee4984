package spool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Damage describes a quarantined database.
type Damage struct {
	Path   string    `json:"path"`   // where it lies now
	Found  time.Time `json:"found"`  // when the damage was found
	Reason string    `json:"reason"` // the error
	// Salvaged counts the records that could be read. They wait again, in batches marked as salvaged.
	Salvaged uint64 `json:"salvaged"`
	// Lost counts the missing numbers before the last known record. Some of them may have been acked before.
	Lost uint64 `json:"lost"`
	// Unreadable names the files that are missing or could not be read to
	// their end. Lost does not always count their records.
	Unreadable []string `json:"unreadable,omitempty"`
}

const (
	quarantinePrefix = "damaged-"
	reportName       = "damage.json" // the Damage, in a quarantined database
)

func quarantineName(now time.Time) string {
	return quarantinePrefix + now.UTC().Format("20060102T150405.000Z")
}

// listDamage finds the quarantined databases in dir.
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
		// A missing or broken report does not matter: the directory itself must be listed.
		if report, err := readFile(fs, fs.PathJoin(dir, name, reportName)); err == nil {
			_ = json.Unmarshal(report, &d)
		}
		d.Path = fs.PathJoin(dir, name)
		list = append(list, d)
	}
	return list, nil
}

// noteDamage updates what Stat reports as quarantined.
func (s *Spool) noteDamage() error {
	list, err := listDamage(s.fs, s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined = list
	return err
}

// corrupt turns a reading error that means damage into a CorruptionError, and
// has the next Next salvage the spool. It keeps only the first damage.
func (s *Spool) corrupt(err error) error {
	if !isDamage(err) {
		return err
	}
	if err := s.failure(); err != nil {
		return err // a failed spool cannot read records that it did not write
	}
	damage := corruption(s.path(dbName), err)
	if !s.running.Load() {
		return damage // Open handles it now
	}
	if !s.damage.CompareAndSwap(nil, damage) {
		return s.damage.Load()
	}
	s.log.Error("spool: damage found: records are handed out again once it is salvaged",
		"path", damage.Path, "error", damage.Err)
	select {
	case s.harmed <- struct{}{}:
	default:
	}
	return damage
}

// repair has the committer salvage the database. Append waits meanwhile. After
// an error the spool is as before: it takes records, and hands none out.
func (s *Spool) repair(ctx context.Context, damage *CorruptionError) error {
	return s.submit(ctx, &request{repair: damage, done: make(chan error, 1)})
}

// replaceDamaged salvages the database and opens the new one. It runs in the committer and locks readers out.
func (s *Spool) replaceDamaged(damage *CorruptionError) error {
	if s.damage.Load() == nil {
		return nil // repaired already
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if err := s.roomToSalvage(); err != nil {
		return fmt.Errorf("%w: salvage: %w", damage, err)
	}
	s.running.Store(false)
	defer s.running.Store(true)
	if err := s.closeDB(s.db); err != nil {
		s.log.Warn("spool: closing the damaged database failed", "path", s.dir, "error", err)
	}
	err := s.salvage(damage)
	if err == nil {
		err = s.load()
	}
	if err == nil {
		s.damage.Store(nil)
		return s.noteDamage()
	}
	err = fmt.Errorf("%w: salvage: %w", damage, err)
	if failed := s.start(); failed != nil {
		return s.fail(errors.Join(err, failed))
	}
	return err
}
