package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"hooktape/internal/spool"
	"hooktape/internal/testutil"
)

// TestDescriptorBudget: the shares never add up to more than there is, and nobody goes without.
func TestDescriptorBudget(t *testing.T) {
	for _, limit := range []int{minDescriptors, 400, 1024, 4096, 65536, 1 << 20} {
		d := divide(limit)
		all := ownDescriptors + clickhouseDescriptors + len(spoolNames)*(d.Tables+spoolDescriptors) + d.Ingest + d.API + d.Deliveries
		if all > limit || d.Tables < minTables || d.Ingest < 4 || d.API < 2 || d.Deliveries < 2 {
			t.Errorf("of %d: %+v, together %d", limit, d, all)
		}
	}
}

// TestIdleAPIConnections: more connections to the API than there are descriptors keep no webhook from being taken, though
// the spool has to open files.
func TestIdleAPIConnections(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "http://127.0.0.1:1/hooktape")
	writeConfig(t, i)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	hooktape := i.binary()
	i.old = shell
	i.start("-c", "ulimit -n 400 && exec "+hooktape+" serve")
	i.old = hooktape
	hook := i.hookURL() + "/start"
	i.eventually(10*time.Second, "the API answers", func() error {
		response, err := http.Get("http://" + i.api + "/healthz")
		if err == nil {
			response.Body.Close()
		}
		return err
	})
	for range 500 {
		conn, err := net.DialTimeout("tcp", i.api, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", i.api); err != nil {
			t.Fatal(err)
		}
	}
	body := []byte(`{"user_id":"` + strings.Repeat("1", 900<<10) + `"}`)
	for range 40 { // more than a log holds
		response, err := http.Post(hook, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("a webhook is answered with %s\n%s", response.Status, i.output)
		}
	}
	if strings.Contains(i.output.String(), "too many open files") {
		t.Errorf("a part of hooktape has run out of descriptors:\n%s", i.output)
	}
	i.stop()
}

// TestFailedSpoolEndsTheProcess: a spool that only a restart helps makes the stage fail that it belongs to, and with that the
// process.
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
		t.Errorf("it ends with %v", err)
	}
}

// TestSpoolHeldByADyingProcess: a start waits for one that was killed and still holds the spool.
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
				return errors.New("the log does not say that it waits")
			}
			return nil
		}), held.Close())
	}()
	s, err := patientlyOpen(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(<-released, s.Close()); err != nil {
		t.Error(err)
	}
}
