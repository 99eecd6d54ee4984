package spool

import (
	"context"
	"errors"
	"testing"
)

// TestReadyNearLimit verifies that a spool less than a record below its limit refuses every record and is not ready.
func TestReadyNearLimit(t *testing.T) {
	o := DefaultOptions()
	o.MinFree, o.MaxBytes = 0, 10_000
	s, err := Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(context.Background(), make([]byte, 9_990)); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(context.Background(), make([]byte, 500)); !errors.Is(err, ErrFull) {
		t.Errorf("a record beyond the limit: %v", err)
	}
	if err := s.Ready(); !errors.Is(err, ErrFull) {
		t.Errorf("Ready returned %v", err)
	}
}
