package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hooktape/internal/testutil"
)

// TestDoctorWell: on a set-up that is well, running or not, nothing is to be mended, and nothing is left behind.
func TestDoctorWell(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.NotFoundHandler())
	defer receiver.Close()
	i := newInstance(t, "")
	writeConfig(t, i)
	path := filepath.Join(i.dir, "hooktape.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, fmt.Sprintf("%s\nendpoints:\n  - {name: crm, url: '%s/', allow_private: true}\nspool: {min_free: 1MiB}\n", text, receiver.URL))
	i.startReady("serve")
	before := strings.Join(names(t, i.dir), " ")
	i.eventually(30*time.Second, "doctor finds all well", func() error {
		if r := i.try("doctor"); r.code != 0 {
			return fmt.Errorf("exit code %d:\n%s%s", r.code, r.out, r.err)
		}
		return nil
	})
	said := i.cli("doctor")
	for _, line := range []string{"✓ configuration   " + path + ": 1 source, 1 endpoint", "✓ data directory  " + i.dir + " can be written to; an fsync takes ", "✓ spool           events: in use by a running hooktape",
		"✓ listeners       the API at " + i.api + ": ready", "! hook URL        hook URLs begin with http://" + i.ingest, "                  → set public_url", "✓ ClickHouse      answers; version 26.", "✓ ClickHouse      the tables are up to date",
		"✓ ClickHouse      its clock agrees", "✓ endpoint crm    answers"} {
		if !strings.Contains(said, line) {
			t.Errorf("doctor does not say %q:\n%s", line, said)
		}
	}
	if after := strings.Join(names(t, i.dir), " "); after != before {
		t.Errorf("the data directory had %s, and has %s", before, after)
	}
	i.stop()
	stopped := i.try("doctor")
	if stopped.code != 2 || !strings.Contains(stopped.out, "✗ listeners       hooktape does not run here") || !strings.Contains(stopped.out, "! ClickHouse      the embedded engine does not answer") ||
		!strings.Contains(stopped.out, "✓ spool           events: all is in ClickHouse") {
		t.Errorf("while it does not run: exit code %d\n%s", stopped.code, stopped.out)
	}
}

// TestCommandsAwaitTables: a command that comes before the tables waits for them, and says so.
func TestCommandsAwaitTables(t *testing.T) {
	t.Parallel()
	i := keeping(t, "")
	type waiting struct {
		*exec.Cmd
		said *testutil.Log
		want string
	}
	var commands []waiting
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"retention"}, "otel_traces"}, {[]string{"sql", "SELECT 'events: ', count() FROM events"}, "events: \t0"}, {[]string{"backup", filepath.Join(t.TempDir(), "backup")}, "0 rows of "}} {
		w := waiting{i.program(c.args...), &testutil.Log{}, c.want}
		w.Stderr = w.said
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		i.eventually(30*time.Second, "it says that it waits", func() error {
			if !strings.Contains(w.said.String(), "the tables are not ready (version 0 of ") {
				return fmt.Errorf("%s: it says %q", c.args[0], w.said)
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
