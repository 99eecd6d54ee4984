package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/internal/spool"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

// TestDoctor verifies that hooktape keeps its files from other users, whatever the umask and the permissions that an
// older version left. doctor warns before the start, finds no problem while hooktape runs, and leaves nothing behind.
func TestDoctor(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.NotFoundHandler())
	defer receiver.Close()
	i := newInstance(t, "")
	i.configure(fmt.Sprintf("endpoints:\n  - {name: crm, url: '%s/', allow_private: true}\nspool: {min_free: 1MiB}\n",
		receiver.URL))
	openToAll(t, i.dir)
	stopped := i.try("doctor")
	if err := contains(stopped.out, "✗ listeners       hooktape does not run here",
		"! ClickHouse      the embedded engine does not answer", "✓ spool           events: all is in ClickHouse",
		"! data directory  others on this machine may read "+i.dir+"/spool",
		"! configuration   everybody on this machine can read it"); err != nil || stopped.code != 2 {
		t.Errorf("before the start: exit code %d, %v", stopped.code, err)
	}
	i.startReady("serve")
	i.post(i.hookURL()+"/start", []byte(`{"user_id":1}`))
	assertPrivate(t, i.dir)
	before := strings.Join(names(t, i.dir), " ")
	i.eventually("doctor finds no problem", func() error {
		if r := i.try("doctor"); r.code != 0 {
			return fmt.Errorf("exit code %d:\n%s%s", r.code, r.out, r.err)
		}
		return nil
	})
	if err := contains(i.cli("doctor"), "✓ configuration   "+filepath.Join(i.dir,
		"hooktape.yaml")+": 1 source, 1 endpoint",
		"✓ data directory  "+i.dir+" can be written to; an fsync takes ",
		"✓ spool           events: in use by a running hooktape", "✓ listeners       the API at "+i.api+": ready",
		"! hook URL        hook URLs begin with http://"+i.ingest, "                  → set public_url",
		"✓ ClickHouse      answers; version 26.", "✓ ClickHouse      the tables are up to date",
		"✓ ClickHouse      its clock agrees", "✓ endpoint crm    answers"); err != nil {
		t.Error(err)
	}
	if after := strings.Join(names(t, i.dir), " "); after != before {
		t.Errorf("the data directory had %s, now has %s", before, after)
	}
	i.stop()
}

// openToAll creates a data directory as an older version did, readable for everybody.
func openToAll(t *testing.T, dir string) {
	t.Helper()
	old, err := spool.Open(filepath.Join(dir, "spool", "events"), spool.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "autocert"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "autocert", "acme_account+key"), "key")
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		mode := os.FileMode(0o644)
		if err == nil && d.IsDir() {
			mode = 0o755
		}
		return errors.Join(err, os.Chmod(path, mode))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// assertPrivate verifies that only the owner can read the files of a data directory.
func assertPrivate(t *testing.T, dir string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || path == dir || d.Type()&fs.ModeSymlink != 0 {
			return nil // the engine removes files concurrently; a link has no mode
		}
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		seen++
		return nil
	})
	if err != nil || seen < 20 {
		t.Errorf("%d files seen, %v", seen, err)
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestCommandsAwaitTables verifies that a command that starts before the tables exist waits for them, and says so.
func TestCommandsAwaitTables(t *testing.T) {
	t.Parallel()
	i := newInstance(t, enginetest.DSN(t))
	i.configure("")
	type waiting struct {
		*exec.Cmd
		said *testutil.Log
		want string
	}
	var commands []waiting
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"retention"}, "otel_traces"}, {[]string{"sql", "SELECT 'events: ', count() FROM events"},
		"events: \t0"}, {[]string{"backup", filepath.Join(t.TempDir(), "backup")}, "0 rows of "}} {
		w := waiting{i.program(c.args...), &testutil.Log{}, c.want}
		w.Stderr = w.said
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		i.eventually("the command says that it waits", func() error {
			if !strings.Contains(w.said.String(), "the tables are not ready (version 0 of ") {
				return fmt.Errorf("%s: got %q", c.args[0], w.said)
			}
			return nil
		})
		commands = append(commands, w)
	}
	i.cli("migrate")
	for _, w := range commands {
		if err := w.Wait(); err != nil || !strings.Contains(w.Stdout.(*bytes.Buffer).String(), w.want) {
			t.Errorf("%s: %v\n%s%s", w.Args, err, w.Stdout, w.said)
		}
	}
}
