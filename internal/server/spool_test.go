package server

import (
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

// TestFailedSpoolEndsTheProcess verifies that a spool that only a restart can repair makes its stage fail, which ends
// the process.
func TestFailedSpoolEndsTheProcess(t *testing.T) {
	broken := make(chan struct{})
	o := spool.DefaultOptions()
	o.MinFree = 0
	o.FS = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		select {
		case <-broken:
			if op.Kind == errorfs.OpFileSyncData && filepath.Ext(op.Path) == ".log" {
				return syscall.EIO
			}
		default:
		}
		return nil
	}))
	s, err := spool.Open(t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ended := make(chan error)
	go func() { ended <- untilFailed(t.Context(), s) }()
	if err := s.Append(t.Context(), []byte("a")); err != nil {
		t.Fatal(err)
	}
	close(broken)
	if err := s.Append(t.Context(), []byte("b")); !errors.Is(err, spool.ErrFailed) {
		t.Fatalf("append: %v", err)
	}
	if err := <-ended; !errors.Is(err, spool.ErrFailed) || !errors.Is(err, syscall.EIO) {
		t.Errorf("the stage ended with %v", err)
	}
}

// TestSpoolHeldByADyingProcess verifies that a start waits for a killed process that still holds the spool.
func TestSpoolHeldByADyingProcess(t *testing.T) {
	dir := t.TempDir()
	held, err := spool.Open(dir, spool.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var log testutil.Log
	o := spool.DefaultOptions()
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	released := make(chan error, 1)
	go func() {
		released <- errors.Join(testutil.Poll(lockPatience, func() error {
			if !strings.Contains(log.String(), "another process holds the spool") {
				return errors.New("the log does not mention the wait")
			}
			return nil
		}), held.Close())
	}()
	s, err := waitForSpool(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-released, s.Close()); err != nil {
		t.Error(err)
	}
}
