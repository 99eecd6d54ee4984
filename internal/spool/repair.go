package spool

import (
	"context"
	"errors"
	"fmt"
)

// repair has the committer salvage the database, because of damage that was
// met while it ran. Those who append wait meanwhile. An error leaves the
// spool as it was: it takes records, and hands none out.
func (s *Spool) repair(ctx context.Context, damage *CorruptionError) error {
	return s.submit(ctx, &request{repair: damage, done: make(chan error, 1)})
}

// replaceDamaged does what repair asks for. It runs in the committer and locks
// readers out.
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
		s.log.Warn("spool: the damaged database did not close in order", "path", s.dir, "error", err)
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

// noteDamage finds out what Stat says was set aside.
func (s *Spool) noteDamage() error {
	list, err := listDamage(s.fs, s.dir)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined = list
	return err
}
