package enginetest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"hooktape/internal/testutil"
)

// Engine is a running embedded-clickhouse with its own data directory.
type Engine struct {
	t     testing.TB
	child *child
	args  []string
}

// Start starts an engine on a free port. Its data and its process end with the test.
func Start(t testing.TB) *Engine {
	t.Helper()
	return prepare(t, t.TempDir()).begin()
}

// StartIn is Start with an existing data directory.
func StartIn(t testing.TB, dir string) *Engine {
	t.Helper()
	return prepare(t, dir).begin()
}

// StartServer is Start for tests of the rights of a server's users. The embedded engine's own checks are off, so that
// only these rights restrict statements.
func StartServer(t testing.TB) *Engine {
	t.Helper()
	e := prepare(t, t.TempDir(), "--unjudged")
	e.configure("users",
		`<clickhouse><users><default><grants replace="replace"><query>GRANT ALL ON *.*</query></grants></default></users></clickhouse>`)
	return e.begin()
}

func prepare(t testing.TB, dir string, args ...string) *Engine {
	t.Helper()
	addr, err := testutil.FreeAddr() // the next start uses the same address
	if err != nil {
		t.Fatal(err)
	}
	return &Engine{t: t, args: append([]string{"--path", dir, "--listen", addr}, args...)}
}

// begin starts the engine, and stops it when the test ends.
func (e *Engine) begin() *Engine {
	e.t.Helper()
	e.start()
	e.t.Cleanup(func() {
		if err := e.child.stop(); err != nil {
			e.t.Errorf("stop the engine: %v", err)
		}
	})
	return e
}

// DSN returns the data source name of a database, which need not exist.
func (e *Engine) DSN(database string) string { return dsn(e.child.address, database) }

// Dir returns the data directory. At each start ClickHouse reads hooktape-users.d/*.xml in it, in addition to its own
// users.
func (e *Engine) Dir() string { return e.args[1] }

// Kill ends the process with SIGKILL, as the kernel's out-of-memory killer does.
func (e *Engine) Kill() {
	e.t.Helper()
	e.child.kill()
}

// ExitStatus waits for the end of the process and returns its exit status.
func (e *Engine) ExitStatus() int {
	e.t.Helper()
	late := time.AfterFunc(testutil.Patience, func() { e.child.cmd.Process.Kill() })
	defer late.Stop()
	e.child.cmd.Wait()
	return e.child.cmd.ProcessState.ExitCode()
}

// Stop ends the process with a normal shutdown.
func (e *Engine) Stop() {
	e.t.Helper()
	if err := e.child.stop(); err != nil {
		e.t.Fatal(err)
	}
}

// Restart starts the engine again after its end, with the same data and port.
func (e *Engine) Restart() {
	e.t.Helper()
	e.start()
}

func (e *Engine) start() {
	e.t.Helper()
	c, err := startChild(e.args)
	if err != nil {
		e.t.Fatal(err)
	}
	e.child = c
}

func dsn(address, database string) string {
	return (&url.URL{Scheme: "http", User: url.UserPassword("default", Password), Host: address,
		Path: "/" + database}).String()
}

// Password is the password of the user "default" of tests' engines, ReaderPassword that of the user "reader".
const (
	Password       = "password-of-tests"
	ReaderPassword = "reader-password-of-tests"
)

// databases are the databases that tests may use.
const databases = "default,test_*,cluster_*,hooktape*,plain,of-its own*"

// child is a process of embedded-clickhouse.
type child struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	stderr  *os.File
	address string
}

// startChild starts a process and returns when the engine answers. The child reads a pipe from this process as its
// standard input, so that it stops when this process ends in any way.
func startChild(args []string) (*child, error) {
	path, err := binary()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(path, append([]string{"serve", "--exit-with-stdin", "--databases", databases},
		args...)...)}
	// The product's settings in the environment are not meant for the engine of a test.
	c.cmd.Env = append(os.Environ(), "HOOKTAPE_EMBEDDED_PASSWORD="+Password,
		"HOOKTAPE_EMBEDDED_READER_PASSWORD="+ReaderPassword)
	// A file, because a buffer needs a goroutine, which goleak would report in the tests.
	if c.stderr, err = os.CreateTemp("", "embedded-clickhouse-stderr-"); err != nil {
		return nil, err
	}
	os.Remove(c.stderr.Name())
	c.cmd.Stderr = c.stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start embedded-clickhouse: %w", err)
	}
	late := time.AfterFunc(testutil.Patience, func() { c.cmd.Process.Kill() })
	defer late.Stop()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		c.cmd.Wait()
		return nil, fmt.Errorf("embedded-clickhouse does not start; run make engine first\n%s", c.messages())
	}
	c.address = strings.TrimSpace(strings.TrimPrefix(line, "listening on http://"))
	return c, nil
}

// messages returns the standard error output of the process.
func (c *child) messages() string {
	text, _ := io.ReadAll(io.NewSectionReader(c.stderr, 0, 1<<20))
	return string(text)
}

// kill ends the process with SIGKILL. It may be dead already.
func (c *child) kill() {
	c.cmd.Process.Kill()
	c.cmd.Wait()
}

// stop ends the process with a normal shutdown.
func (c *child) stop() error {
	if c.cmd.ProcessState != nil {
		return nil
	}
	c.stdin.Close()
	late := time.AfterFunc(testutil.Patience, func() { c.cmd.Process.Kill() })
	defer late.Stop()
	if err := c.cmd.Wait(); err != nil {
		return errors.Join(err, errors.New(c.messages()))
	}
	return nil
}
