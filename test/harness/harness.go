// Package harness runs hooktape and the embedded ClickHouse as separate processes, in a temporary directory and on free
// loopback ports. Tests and benchmarks can kill, freeze, restart and measure them.
//
// Close removes everything. If the test itself is killed, its processes end too: ClickHouse ends with its standard
// input.
package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Harness runs processes.
type Harness struct {
	// Env is added to the environment of processes that start later.
	Env []string

	dir string // of all files of the processes
	bin string

	mu      sync.Mutex
	running []*Process
	names   int

	migrating sync.Mutex
	template  string // data directory of an engine with all tables
}

// New returns a harness. bin is the directory of the built programs; if empty, New builds them.
func New(ctx context.Context, bin string) (*Harness, error) {
	if bin == "" {
		var err error
		if bin, err = build(ctx); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "hooktape-test-")
	return &Harness{dir: dir, bin: bin}, err
}

// Open adds the flag -bin to flags, parses them and returns a harness.
func Open(ctx context.Context, flags *flag.FlagSet, args []string) (*Harness, error) {
	bin := flags.String("bin", "", "directory of the built programs (default: they are built)")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return New(ctx, *bin)
}

// build compiles the programs to a fixed path in the user's cache, where go build finds earlier results. If this
// program has the race detector, hooktape gets it too. HOOKTAPE_EMBEDDED_BIN names a built engine.
func build(ctx context.Context) (bin string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	bin = filepath.Join(cache, "hooktape", "test"+raceSuffix)
	if err := compile(ctx, bin, "hooktape", hooktapeEnv, hooktapeFlags...); err != nil {
		return "", err
	}
	built := os.Getenv("HOOKTAPE_EMBEDDED_BIN")
	if built == "" {
		return bin, compile(ctx, bin, "embedded-clickhouse", "CGO_ENABLED=0")
	}
	link := filepath.Join(bin, "embedded-clickhouse")
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return bin, os.Symlink(built, link)
}

func compile(ctx context.Context, bin, name, env string, flags ...string) error {
	args := append(append([]string{"build"}, flags...), "-o", filepath.Join(bin, name), "hooktape/cmd/"+name)
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), env)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// Close ends all processes and removes their files.
func (r *Harness) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.running {
		p.Kill()
	}
	return os.RemoveAll(r.dir)
}

// NewDir creates a new directory.
func (r *Harness) NewDir(name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names++
	dir := filepath.Join(r.dir, name+"-"+strconv.Itoa(r.names))
	return dir, os.MkdirAll(dir, 0o700)
}

// poll is the interval of Until.
const poll = 10 * time.Millisecond

// Until waits until done returns true. It returns an error that names what after patience.
func Until(ctx context.Context, patience time.Duration, what string, done func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !done() {
		if err := Pause(ctx, poll); err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
	}
	return nil
}

// Pause waits for d. It returns an error if ctx ends first.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), context.Cause(ctx))
	}
}

// Main is the main function of a test program: it calls run, cancels its context on an interrupt, and exits with 1
// after an error.
func Main(run func(ctx context.Context, args []string, stdout io.Writer) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(os.Args[0]), err)
		os.Exit(1)
	}
}
