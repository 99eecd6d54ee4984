package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Harness is where processes run.
type Harness struct {
	// Env is added to the environment of what is started from then on.
	Env []string

	dir string // of all their files
	bin string

	mu      sync.Mutex
	running []*Process
	names   int
}

// New makes a harness. bin is the directory of the built programs; empty: they are built.
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

// Open parses the flags of a test or a benchmark, to which it adds -bin, and makes a harness.
func Open(ctx context.Context, flags *flag.FlagSet, args []string) (*Harness, error) {
	bin := flags.String("bin", "", "directory of the built programs (default: they are built)")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	return New(ctx, *bin)
}

// build compiles the programs into the user's cache: the same path every time, so that go build finds its own work done.
// With the race detector in this program, hooktape has it too. HOOKTAPE_EMBEDDED_BIN names an engine that is built.
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

// NewDir makes a directory that no other process of the harness has.
func (r *Harness) NewDir(name string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names++
	dir := filepath.Join(r.dir, name+"-"+strconv.Itoa(r.names))
	return dir, os.MkdirAll(dir, 0o700)
}

// poll is how often the harness looks whether something has come about.
const poll = 10 * time.Millisecond

// Until waits until done says so, at most as long as patience.
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

// Pause lets time pass; it fails when the context ends first.
func Pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), context.Cause(ctx))
	}
}
