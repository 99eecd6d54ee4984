package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"hooktape/internal/store"
	"hooktape/internal/testutil/storetest"
)

// sql runs `hooktape sql` with a standard input and returns its output and error.
func (i *instance) sql(stdin string, args ...string) (out, errs string, err error) {
	i.t.Helper()
	var stdout, stderr bytes.Buffer
	command := exec.Command(i.binary(), append([]string{"sql"}, args...)...)
	command.Env = i.env
	command.Stdin = strings.NewReader(stdin)
	command.Stdout = &stdout
	command.Stderr = &stderr
	err = command.Run()
	return stdout.String(), stderr.String(), err
}

// TestEmbeddedPasswords verifies that the first start creates passwords readable by the owner only, that no command
// line shows them, that later starts and other commands use them, and that a data directory without them gets new ones
// and keeps its events.
func TestEmbeddedPasswords(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "")
	i.env = append(i.env, passwordVariable+"=") // hooktape creates them
	var before []string
	for round := range 3 {
		i.startReady("serve")
		var passwords []string
		for _, name := range []string{"embedded-password", "embedded-reader-password"} {
			info, err := os.Stat(filepath.Join(i.dir, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%s: %v, %v", name, info, err)
			}
			text, err := os.ReadFile(filepath.Join(i.dir, name))
			if err != nil || len(text) < 20 {
				t.Fatalf("%s has %q, %v", name, text, err)
			}
			passwords = append(passwords, strings.TrimSpace(string(text)))
		}
		children, err := exec.Command("pgrep", "-P", strconv.Itoa(i.command.Process.Pid)).Output()
		if err != nil {
			t.Fatalf("the engine's process: %v", err)
		}
		for pid := range strings.FieldsSeq(string(children)) {
			line, err := os.ReadFile("/proc/" + pid + "/cmdline")
			if err == nil && (bytes.Contains(line, []byte(passwords[0])) ||
				bytes.Contains(line, []byte(passwords[1]))) {
				t.Errorf("the engine's command line shows a password: %q", line)
			}
		}
		if round == 0 {
			i.post(i.hookURL(), []byte(`{"name":"Ада"}`))
		}
		i.eventually("the event is stored", func() error {
			if out, errs, err := i.sql("", "SELECT count() FROM events"); err != nil || out != "1\n" {
				return fmt.Errorf("%q %s %v", out, errs, err)
			}
			return nil
		})
		if round == 0 {
			assertSQL(i)
		}
		if round == 1 && !slices.Equal(passwords, before) {
			t.Error("the second start changed the passwords")
		}
		before = passwords
		i.stop()
		if text := i.output.String(); strings.Contains(text, passwords[0]) || strings.Contains(text, passwords[1]) {
			t.Errorf("the output shows a password:\n%s", text)
		}
		if round == 1 { // the state that an earlier version leaves
			for _, name := range []string{"embedded-password", "embedded-reader-password"} {
				if err := os.Remove(filepath.Join(i.dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// assertSQL queries the embedded engine, which has one event of Ада, as the read-only user.
func assertSQL(i *instance) {
	i.t.Helper()
	file := filepath.Join(i.dir, "names.sql")
	writeFile(i.t, file, "SELECT name -- of everybody\nFROM events;\n")
	for _, c := range []struct {
		stdin string
		args  []string
		want  string
	}{
		{"", []string{"SELECT name FROM events"}, "Ада\n"},
		{"", []string{"--file", file}, "Ада\n"},
		{"SELECT name FROM events FORMAT JSONEachRow", nil, "{\"name\":\"Ада\"}\n"},
		{"", []string{"--format", "CSVWithNames", "SELECT name FROM events"}, "\"name\"\n\"Ада\"\n"},
		{"", []string{"SELECT 1 SETTINGS max_threads = 1"}, "1\n"},
		{"", []string{"SELECT currentRoles()"}, "['hooktape_reader']\n"},
	} {
		if out, errs, err := i.sql(c.stdin, c.args...); err != nil || out != c.want {
			i.t.Errorf("%q < %q: got %q, %s, %v; want %q", c.args, c.stdin, out, errs, err, c.want)
		}
	}
	if out, errs, err := i.sql("", "SELECT repeat('x', 1000) FROM numbers(20000)"); err != nil ||
		len(out) != 20_020_000 {
		i.t.Errorf("got %d bytes of a large result, %s, %v", len(out), errs, err)
	}
	for _, c := range []struct{ statement, words string }{
		{"DROP TABLE events", "only reads"},
		{"SELECT file('/etc/passwd')", "file is not allowed"},
		{"SELECT headers FROM replays", "Not enough privileges"},
		{"SELECT * FROM system.processes", "may not read system.processes"},
		{"SELECT throwIf(number = 9000000, 'late') FROM numbers(10000000)", ""},
		{"SELECT nothing FROM events", "nothing"},
	} {
		if out, errs, err := i.sql(c.statement); err == nil || !strings.Contains(errs, c.words) ||
			strings.Contains(errs, "Code:") || strings.Count(errs, "\n") > 2 {
			i.t.Errorf("%s: got %.100q, %s, %v", c.statement, out, errs, err)
		}
	}
	if _, errs, err := i.sql("", "--write",
		"ALTER TABLE events DELETE WHERE name = 'nobody' SETTINGS mutations_sync = 1"); err != nil {
		i.t.Errorf("--write: %s", errs)
	}
	// Expressions run as this user, too.
	if out := i.cli("events", "list", "--json", "--where",
		"currentRoles() = ['hooktape_reader']"); !strings.Contains(out, "Ада") {
		i.t.Errorf("user of an expression: %s", out)
	}
}

// TestSQLOnServer queries the server of a DSN, whose user's rights apply.
func TestSQLOnServer(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	writeConfig(t, i)
	if out, errs, err := i.sql("SELECT currentDatabase() = '" + i.db.Database() +
		"' FORMAT TSVWithNames"); err != nil || !strings.HasSuffix(out, "\n1\n") {
		t.Errorf("got %q, %s, %v", out, errs, err)
	}
	if _, errs, err := i.sql("CREATE TABLE t (n UInt8) ENGINE = Memory"); err == nil ||
		!strings.Contains(errs, "readonly") {
		t.Errorf("the statement may write: %s, %v", errs, err)
	}
	native, err := store.Open("clickhouse://127.0.0.1:9001/x")
	if err != nil {
		t.Fatal(err)
	}
	defer native.Close()
	if err := native.RunSQL(t.Context(), new(bytes.Buffer), store.Statement{SQL: "SELECT 1"}); err == nil ||
		!strings.Contains(err.Error(), "HTTP") {
		t.Errorf("HTTP port without a known native port: %v", err)
	}
}
