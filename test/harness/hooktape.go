package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"hooktape/internal/testutil"
)

// The one source that the hooktape of a harness knows.
const (
	Source = "demo"
	Token  = "0123456789abcdef0123456789abcdef"
)

// NoClickHouse is a data source name behind which nobody listens: what is acknowledged stays in the spool, and spans are
// made and thrown away.
const NoClickHouse = "http://127.0.0.1:1/hooktape"

// Hooktape is one of hooktape's processes.
type Hooktape struct {
	*Process
	Addr    string // of the hooks, or of the API
	Ops     string // of the profiles
	harness *Harness
	dir     string
	dsn     string
	command []string // what is run, and last the flag that takes Addr
}

// NewHooktape starts a `hooktape ingest` with a spool of its own. settings are added to its configuration file.
func (r *Harness) NewHooktape(ctx context.Context, dsn, settings string) (*Hooktape, error) {
	return r.newHooktape(ctx, dsn, settings, "ingest", "--ingest-addr")
}

// NewDeliverer starts a `hooktape replay serve`: it delivers live events and replays, to the endpoints in settings.
func (r *Harness) NewDeliverer(ctx context.Context, dsn, settings string) (*Hooktape, error) {
	return r.newHooktape(ctx, dsn, settings, "replay", "serve", "--api-addr")
}

// NewServe starts a `hooktape serve`. Its settings may name a certificate for the hooks.
func (r *Harness) NewServe(ctx context.Context, dsn, settings string) (*Hooktape, error) {
	return r.newHooktape(ctx, dsn, settings, "serve", "--ingest-addr")
}

func (r *Harness) newHooktape(ctx context.Context, dsn, settings string, command ...string) (*Hooktape, error) {
	dir, err := r.NewDir(command[0])
	if err != nil {
		return nil, err
	}
	h := &Hooktape{harness: r, dir: dir, dsn: dsn, command: command}
	if h.Addr, err = testutil.FreeAddr(); err != nil {
		return nil, err
	}
	if h.Ops, err = testutil.FreeAddr(); err != nil {
		return nil, err
	}
	config := fmt.Sprintf("sources:\n  - name: %s\n    token: %s\n%s", Source, Token, settings)
	if err := os.WriteFile(h.Config(), []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := h.Start(ctx); err != nil {
		return nil, err
	}
	return h, nil
}

// Point makes the next Start use another ClickHouse.
func (h *Hooktape) Point(dsn string) { h.dsn = dsn }

// Dir is the data directory.
func (h *Hooktape) Dir() string { return h.dir }

// Config is the configuration file.
func (h *Hooktape) Config() string { return filepath.Join(h.dir, "hooktape.yaml") }

// Start starts hooktape again after Kill or Stop, over the same spool and at the same address. It returns when it answers.
func (h *Hooktape) Start(ctx context.Context) error {
	p, err := h.harness.start(h.dir+".log", filepath.Join(h.harness.bin, "hooktape"), append(slices.Clone(h.command), h.Addr,
		"--data", h.dir, "--ops-addr", h.Ops, "--clickhouse-dsn", h.dsn)...)
	if err != nil {
		return err
	}
	h.Process = p
	return h.awaitAnswer(ctx, h.Ops, "/metrics") // the hooks may speak TLS
}
