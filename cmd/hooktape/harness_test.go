package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
)

const passwordVariable = "HOOKTAPE_EMBEDDED_PASSWORD"

// noSleep makes a program with the race detector exit immediately, not after a second.
const noSleep = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	os.Setenv("GORACE", noSleep)
	testscript.Main(m, map[string]func(){"hooktape": main})
}

// prepare sets up this process for commands that run in it.
var prepare = sync.OnceFunc(func() {
	os.Setenv(passwordVariable, enginetest.Password)
	exportPage = 500 // so that exports take several queries
})

// programs returns a directory with both programs: the engine, and hooktape, which is the test binary itself (see
// TestMain). TestMain removes it.
var programs = sync.OnceValues(func() (dir string, err error) {
	hooktape, err := exec.LookPath("hooktape")
	if err != nil {
		return "", err
	}
	dir = filepath.Join(filepath.Dir(hooktape), "programs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.Link(hooktape, filepath.Join(dir, "hooktape")); err != nil {
		return "", err
	}
	engine := filepath.Join(dir, "embedded-clickhouse")
	if built := os.Getenv("HOOKTAPE_EMBEDDED_BIN"); built != "" {
		return dir, os.Symlink(built, engine)
	}
	build := exec.Command("go", "build", "-o", engine, "hooktape/cmd/embedded-clickhouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build embedded-clickhouse: %w\n%s", err, out)
	}
	return dir, nil
})

// noClickHouse is a DSN without a server: receiving webhooks needs no ClickHouse.
const noClickHouse = "http://127.0.0.1:1/hooktape"

const someToken = "0123456789abcdef"

// instance is a hooktape on free ports with its own data directory.
type instance struct {
	t      *testing.T
	env    []string
	ingest string
	api    string
	dir    string
	dsn    string
	db     *store.Store
	old    string // path of another hooktape; empty: this one

	command *exec.Cmd
	output  *testutil.Log
}

// newInstance prepares an instance. An empty dsn selects the embedded engine.
func newInstance(t *testing.T, dsn string) *instance {
	t.Helper()
	prepare()
	i := &instance{t: t, ingest: freeAddr(t), api: freeAddr(t), dir: t.TempDir()}
	embedded := freeAddr(t)
	i.env = append(os.Environ(), "HOOKTAPE_DATA="+i.dir, "HOOKTAPE_INGEST_ADDR="+i.ingest, "HOOKTAPE_API_ADDR="+i.api,
		"HOOKTAPE_EMBEDDED_ADDR="+embedded, "HOOKTAPE_CLICKHOUSE_DSN="+dsn,
		"HOOKTAPE_EMBEDDED_PASSWORD="+enginetest.Password)
	if dsn == "" {
		dsn = "http://default:" + enginetest.Password + "@" + embedded + "/hooktape"
	}
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	i.dsn, i.db = dsn, db
	t.Cleanup(func() { db.Close() })
	return i
}

// binary returns the path of the hooktape to run.
func (i *instance) binary() string {
	i.t.Helper()
	if i.old != "" {
		return i.old
	}
	dir, err := programs()
	if err != nil {
		i.t.Fatal(err)
	}
	return filepath.Join(dir, "hooktape")
}

// start runs a long-lived subcommand and waits until its ingest answers.
func (i *instance) start(args ...string) {
	i.t.Helper()
	i.output = &testutil.Log{}
	i.command = exec.Command(i.binary(), args...)
	i.command.Env, i.command.Stdout, i.command.Stderr = i.env, i.output, i.output
	if err := i.command.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { i.kill() })
	i.eventually("hooktape answers", func() error {
		response, err := http.Get("http://" + i.ingest + "/readyz")
		if err != nil {
			return err
		}
		response.Body.Close()
		return nil
	})
}

// startReady runs serve and also waits until the tables exist.
func (i *instance) startReady(args ...string) {
	i.t.Helper()
	i.start(args...)
	i.eventually("hooktape is ready", func() error {
		if !strings.Contains(i.output.String(), "hooktape is ready") {
			return errors.New("not yet")
		}
		return nil
	})
}

// kill sends SIGKILL.
func (i *instance) kill() {
	if i.command.ProcessState == nil {
		_ = i.command.Process.Kill()
		_ = i.command.Wait()
	}
}

// stop sends an interrupt, as Ctrl-C does. The process must end within a minute, also on a busy machine.
func (i *instance) stop() {
	i.t.Helper()
	defer time.AfterFunc(time.Minute, func() { _ = i.command.Process.Kill() }).Stop()
	_ = i.command.Process.Signal(syscall.SIGINT)
	if err := i.command.Wait(); err != nil {
		i.t.Errorf("hooktape ended with %v:\n%s", err, i.output)
	}
	if strings.Contains(i.output.String(), "DATA RACE") {
		i.t.Errorf("data race:\n%s", i.output)
	}
}

// result is the exit code and output of a command.
type result struct {
	out, err string
	code     int
}

// cli runs a command, which must succeed, and returns its output.
func (i *instance) cli(args ...string) string {
	i.t.Helper()
	r := i.try(args...)
	if r.code != 0 {
		i.t.Fatalf("hooktape %s: exit code %d\n%s%s\n--- output of the server\n%s", strings.Join(args, " "), r.code,
			r.out, r.err, i.output)
	}
	return r.out
}

// try runs a command and returns its result. The command runs in this process, unless it needs another environment.
func (i *instance) try(args ...string) result {
	i.t.Helper()
	if i.old != "" || i.variable(passwordVariable) != enginetest.Password {
		return i.resultOf(i.program(args...), "")
	}
	ctx, cancel := context.WithTimeout(i.t.Context(), testutil.Patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, append(i.flags(), args...), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), code}
}

// program returns a command as a process, not started yet.
func (i *instance) program(args ...string) *exec.Cmd {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), testutil.Patience)
	i.t.Cleanup(cancel)
	command := exec.CommandContext(ctx, i.binary(), args...)
	command.Env, command.Stdout, command.Stderr = i.env, &bytes.Buffer{}, &bytes.Buffer{}
	return command
}

// resultOf runs a process to its end and returns its result.
func (i *instance) resultOf(command *exec.Cmd, stdin string) result {
	i.t.Helper()
	command.Stdin = strings.NewReader(stdin)
	if exit, ok := errors.AsType[*exec.ExitError](command.Run()); ok && exit.ExitCode() < 0 {
		i.t.Fatalf("command %v was killed: %v", command.Args, exit)
	}
	return result{command.Stdout.(*bytes.Buffer).String(), command.Stderr.(*bytes.Buffer).String(),
		command.ProcessState.ExitCode()}
}

// flags returns the variables of the instance's environment as flags.
func (i *instance) flags() (flags []string) {
	for flag, variable := range map[string]string{"--data": "HOOKTAPE_DATA", "--ingest-addr": "HOOKTAPE_INGEST_ADDR",
		"--api-addr": "HOOKTAPE_API_ADDR", "--embedded-addr": "HOOKTAPE_EMBEDDED_ADDR",
		"--ops-addr": "HOOKTAPE_OPS_ADDR", "--clickhouse-dsn": "HOOKTAPE_CLICKHOUSE_DSN"} {
		if value := i.variable(variable); value != "" {
			flags = append(flags, flag, value)
		}
	}
	return flags
}

// variable returns a variable of the instance's environment.
func (i *instance) variable(name string) (value string) {
	for _, pair := range i.env {
		if text, ok := strings.CutPrefix(pair, name+"="); ok {
			value = text
		}
	}
	return value
}

// hookURL returns the hook URL of the source demo.
func (i *instance) hookURL() string {
	i.t.Helper()
	name, url, _ := strings.Cut(strings.TrimSpace(i.cli("sources")), "\t")
	if name != "demo" {
		i.t.Fatalf("the first source is %q, want demo", name)
	}
	return url
}

// post sends a body, which must be accepted, and returns the event's id.
func (i *instance) post(url string, body []byte) string {
	i.t.Helper()
	response, err := http.Post(url, "application/ json", bytes.NewReader(body))
	if err != nil {
		i.t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	var answer struct {
		ID         string    `json:"id"`
		ReceivedAt time.Time `json:"received_at"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || response.StatusCode != http.StatusOK {
		i.t.Fatalf("got %s: %s", response.Status, text)
	}
	if ago := time.Since(answer.ReceivedAt); ago < 0 || ago > time.Minute {
		i.t.Errorf("received_at is %s ago", ago)
	}
	return answer.ID
}

// query asks ClickHouse over its HTTP interface, as curl does.
func (i *instance) query(sql string) string {
	i.t.Helper()
	text, err := i.ask(sql)
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// ask is query, but returns an error, for when ClickHouse or its tables may not exist yet.
func (i *instance) ask(sql string) (string, error) {
	u, err := url.Parse(i.dsn)
	if err != nil {
		return "", err
	}
	u.RawQuery = url.Values{"database": {strings.Trim(u.Path, "/")}}.Encode()
	u.Path = "/"
	response, err := http.Post(u.String(), "", strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", sql, text)
	}
	return string(text), err
}

// eventually polls until check returns nil.
func (i *instance) eventually(what string, check func() error) {
	i.t.Helper()
	if err := testutil.Await(i.t, check); err != nil {
		i.t.Fatalf("%s: %v\n--- output of the server\n%s", what, err, i.output)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := testutil.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
