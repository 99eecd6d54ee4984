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
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"hooktape/internal/testutil"
)

// Harness runs processes.
type Harness struct {
	// Env is added to the environment of processes that start later.
	Env []string

	dir              string                 // of all files of the processes
	hooktape, engine func() (string, error) // return the paths of the programs

	mu      sync.Mutex
	running []*Process
	names   int

	migrating sync.Mutex
	template  string // data directory of an engine with all tables
}

// New returns a harness. bin is the directory of the built programs; if empty, each is built before its first start.
func New(ctx context.Context, bin string) (r *Harness, err error) {
	r = &Harness{
		hooktape: func() (string, error) { return filepath.Join(bin, "hooktape"), nil },
		engine:   func() (string, error) { return filepath.Join(bin, "embedded-clickhouse"), nil },
	}
	if bin == "" {
		r.hooktape = sync.OnceValues(func() (string, error) { return testutil.Build(ctx, "hooktape", race) })
		r.engine = sync.OnceValues(func() (string, error) { return testutil.BuildEngine(ctx) })
	}
	r.dir, err = os.MkdirTemp("", "hooktape-test-")
	return r, err
}

// Open adds the flag -bin to flags, parses them and returns a harness.
func Open(ctx context.Context, flags *flag.FlagSet, args []string) (*Harness, error) {
	bin := flags.String("bin", "", "directory of the built programs (default: they are built)")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return New(ctx, *bin)
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
