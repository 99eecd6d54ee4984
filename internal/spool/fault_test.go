package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"hooktape/internal/testutil"
)

// faults is a file system whose operations can be made to fail.
type faults struct {
	rule atomic.Pointer[func(errorfs.Op) error]
}

func (f *faults) fs(under vfs.FS) vfs.FS {
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if rule := f.rule.Load(); rule != nil {
			return (*rule)(op)
		}
		return nil
	}))
}

// refuse makes operations of these kinds fail on files with this suffix.
func (f *faults) refuse(errno syscall.Errno, suffix string, kinds ...errorfs.OpKind) {
	rule := func(op errorfs.Op) error {
		if slices.Contains(kinds, op.Kind) && strings.HasSuffix(op.Path, suffix) {
			return errno
		}
		return nil
	}
	f.rule.Store(&rule)
}

func (f *faults) refuseManifest(errno syscall.Errno, kinds ...errorfs.OpKind) {
	rule := func(op errorfs.Op) error {
		if slices.Contains(kinds, op.Kind) && strings.HasPrefix(filepath.Base(op.Path), "MANIFEST") {
			return errno
		}
		return nil
	}
	f.rule.Store(&rule)
}

func (f *faults) heal() { f.rule.Store(nil) }

// TestFailure makes the disk fail in each way that may lose appended records. From then on nothing may be acknowledged
// and nothing may hang, and all acknowledged records must exist when the spool is opened again.
func TestFailure(t *testing.T) {
	for name, refuse := range map[string]func(*faults){
		"log fsync": func(f *faults) {
			f.refuse(syscall.EIO, ".log", errorfs.OpFileSync, errorfs.OpFileSyncData)
		},
		"log write": func(f *faults) { f.refuse(syscall.EIO, ".log", errorfs.OpFileWrite) },
		"log full":  func(f *faults) { f.refuse(syscall.ENOSPC, ".log", errorfs.OpFileWrite) },
		"new log": func(f *faults) {
			f.refuse(syscall.EIO, ".log", errorfs.OpCreate, errorfs.OpReuseForWrite)
		},
		"directory fsync": func(f *faults) { f.refuse(syscall.EIO, dbName, errorfs.OpFileSync) },
		"table fsync": func(f *faults) {
			f.refuse(syscall.EIO, ".sst", errorfs.OpFileSync, errorfs.OpFileSyncData)
		},
		"table write":    func(f *faults) { f.refuse(syscall.EIO, ".sst", errorfs.OpFileWrite) },
		"manifest write": func(f *faults) { f.refuseManifest(syscall.EIO, errorfs.OpFileWrite) },
		"manifest fsync": func(f *faults) {
			f.refuseManifest(syscall.EIO, errorfs.OpFileSync, errorfs.OpFileSyncData)
		},
		"manifest no room": func(f *faults) { f.refuseManifest(syscall.ENOSPC, errorfs.OpFileWrite) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log testutil.Log
			var disk faults
			o := options(disk.fs(vfs.Default))
			o.memTable = 256 << 10
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
			s := open(t, t.TempDir(), o)
			acknowledged := numbered(1, 10)
			appendAll(t, s, acknowledged...)

			refuse(&disk)
			var mu sync.Mutex
			var group sync.WaitGroup
			for a := range 8 {
				group.Go(func() {
					// Large enough that memtables rotate and are flushed.
					padding := strings.Repeat(".", 30<<10)
					for i := 0; ; i++ {
						record := fmt.Sprintf("%d %d %s", a, i, padding)
						if err := s.Append(context.Background(), []byte(record)); err != nil {
							if !errors.Is(err, ErrFailed) {
								t.Errorf("error is %v", err)
							}
							return
						}
						mu.Lock()
						acknowledged = append(acknowledged, record)
						mu.Unlock()
					}
				})
			}
			group.Wait()

			wantErr(t, s.Append(t.Context(), []byte("late")), ErrFailed)
			err := s.Ready()
			wantErr(t, err, ErrFailed)
			var errno syscall.Errno
			if !errors.As(err, &errno) || !strings.Contains(err.Error(), s.dir) {
				t.Fatalf("path and errno are missing: %v", err)
			}
			_, err = s.Next(t.Context(), soon(1))
			wantErr(t, err, ErrFailed)
			if n := strings.Count(log.String(), "spool failed"); n != 1 {
				t.Fatalf("logged %d times:\n%s", n, log.String())
			}
			_ = s.Close()

			disk.heal()
			s = open(t, s.dir, o)
			if d := s.Stat().Damaged; len(d) > 0 {
				t.Fatalf("damaged: %+v", d)
			}
			got := drain(t, s)
			for _, r := range acknowledged {
				if n := count(got, r); n != 1 {
					t.Fatalf("got %.20s %d times", r, n)
				}
			}
			if slices.Contains(got, "late") {
				t.Fatal("stored after the failure")
			}
		})
	}
}

// TestNoDescriptors verifies that while there are no file descriptors left the spool refuses records, and that it
// recovers on its own.
func TestNoDescriptors(t *testing.T) {
	for name, refuse := range map[string]func(*faults){
		"log": func(f *faults) {
			f.refuse(syscall.EMFILE, ".log", errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpOpen)
		},
		"tail":  func(f *faults) { f.refuse(syscall.ENFILE, tailNewName, errorfs.OpCreate) },
		"table": func(f *faults) { f.refuse(syscall.EMFILE, ".sst", errorfs.OpCreate, errorfs.OpOpen) },
		"any": func(f *faults) {
			f.refuse(syscall.EMFILE, "", errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpOpen, errorfs.OpOpenDir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var disk faults
			o := options(disk.fs(vfs.Default))
			o.memTable = 256 << 10
			s := open(t, t.TempDir(), o)
			s.disk.hold = 4 * openPause
			refuse(&disk)
			ctx, cancel := context.WithCancel(t.Context())
			padding := strings.Repeat(".", 30<<10)
			var accepted []string
			ended := make(chan error)
			go func() {
				for i := 0; ; i++ {
					record := fmt.Sprintf("%d %s", i, padding)
					if err := s.Append(ctx, []byte(record)); err != nil {
						ended <- err
						return
					}
					accepted = append(accepted, record)
				}
			}()
			eventually(t, "the spool is full", func() bool { return errors.Is(s.Ready(), ErrFull) })
			cancel()
			if err := <-ended; !errors.Is(err, ErrFull) && !errors.Is(err, context.Canceled) {
				t.Errorf("append: %v", err)
			}
			disk.heal()
			eventually(t, "the spool is ready again", func() bool { return s.Ready() == nil })
			appendAll(t, s, "later")
			got := drain(t, s)
			for _, r := range append(accepted, "later") {
				if count(got, r) != 1 {
					t.Fatalf("got %.20s %d times", r, count(got, r))
				}
			}
		})
	}
}

// TestReserve uses up all descriptors of the process, so that the spool must use its reserve.
func TestReserve(t *testing.T) {
	o := options(vfs.Default)
	o.memTable = 256 << 10
	s := open(t, t.TempDir(), o)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := syscall.Rlimit{Cur: 200, Max: was.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				t.Error(err)
			}
			break
		}
		defer f.Close()
	}
	record := strings.Repeat(".", 30<<10)
	for range 40 { // several logs and tables
		appendAll(t, s, record)
	}
	if got := drain(t, s); len(got) != 40 {
		t.Errorf("%d records", len(got))
	}
}

func count(records []string, r string) (n int) {
	for _, g := range records {
		if g == r {
			n++
		}
	}
	return n
}

// TestNoSpaceForTables fills the disk during a flush, which Pebble repeats: the spool is full until there is space, and
// then recovers.
func TestNoSpaceForTables(t *testing.T) {
	var disk faults
	o := options(disk.fs(vfs.Default))
	o.memTable = 256 << 10
	s := open(t, t.TempDir(), o)
	s.disk.hold = 2 * retryPause
	disk.refuse(syscall.ENOSPC, ".sst", errorfs.OpFileWrite)
	// A record that is admitted before the disk refuses, or on a slow machine between two refusals, waits for room: it is
	// possibly stored if its caller leaves meanwhile.
	record := make([]byte, 100<<10)
	acknowledged, possiblyStored := 0, 0
	testutil.Eventually(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.Append(ctx, record)
		switch {
		case errors.Is(err, ErrFull):
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			possiblyStored++
		case err != nil:
			t.Fatal(err)
		default:
			acknowledged++
		}
		return errors.New("the spool is not full")
	})
	eventually(t, "not ready", func() bool { return errors.Is(s.Ready(), ErrFull) })
	disk.heal()
	eventually(t, "ready again", func() bool { return s.Ready() == nil })
	appendAll(t, s, "a")
	if n := len(drain(t, s)) - 1; n < acknowledged || n > acknowledged+possiblyStored {
		t.Fatalf("%d records, want %d, and possibly %d more", n, acknowledged, possiblyStored)
	}
}

// TestContextEndsWaitingForTheDisk blocks an fsync and verifies that Append returns when its context ends.
func TestContextEndsWaitingForTheDisk(t *testing.T) {
	var disk faults
	s := open(t, t.TempDir(), options(disk.fs(vfs.Default)))
	held, release := make(chan struct{}, 100), make(chan struct{})
	rule := func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSyncData && strings.HasSuffix(op.Path, ".log") {
			held <- struct{}{}
			<-release
		}
		return nil
	}
	disk.rule.Store(&rule)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for range 2 { // one in the commit, one in the queue behind it
		go func() { results <- s.Append(ctx, []byte("a")) }()
	}
	<-held
	if n := s.Stat().Records; n != 0 {
		t.Fatalf("%d records are visible before they are durable", n)
	}
	cancel()
	for range 2 {
		wantErr(t, <-results, context.Canceled)
	}
	close(release)
	disk.heal()
	appendAll(t, s, "b")
	got := drain(t, s)
	if len(got) == 0 || got[len(got)-1] != "b" {
		t.Fatalf("got the records %q", got)
	}
}
