package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"hooktape/internal/testutil"
)

// The only configured source.
const (
	Source = "demo"
	Token  = "0123456789abcdef0123456789abcdef"
)

// NoClickHouse is a data source name on which no server listens: acknowledged events stay in the spool, and hooktape
// creates and discards spans.
const NoClickHouse = "http://127.0.0.1:1/hooktape"

// Hooktape is a process of hooktape.
type Hooktape struct {
	*Process
	Addr    string // of the hooks, or of the API
	Ops     string // of profiles and metrics
	harness *Harness
	dir     string
	dsn     string
	command []string // arguments, the last is the flag for Addr
}

// NewHooktape starts `hooktape ingest` with its own spool. settings are added to its configuration file.
func (r *Harness) NewHooktape(ctx context.Context, dsn, settings string) (*Hooktape, error) {
	return r.newHooktape(ctx, dsn, settings, "ingest", "--ingest-addr")
}

// NewDeliverer starts `hooktape replay serve`, which delivers live events and replays to the endpoints in settings.
func (r *Harness) NewDeliverer(ctx context.Context, dsn, settings string) (*Hooktape, error) {
	return r.newHooktape(ctx, dsn, settings, "replay", "serve", "--api-addr")
}

// NewServe starts `hooktape serve`. The settings may have a certificate for the hooks.
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

// Dir returns the data directory.
func (h *Hooktape) Dir() string { return h.dir }

// Config returns the path of the configuration file.
func (h *Hooktape) Config() string { return filepath.Join(h.dir, "hooktape.yaml") }

// Start restarts hooktape after Kill or Stop, with the same spool and address. It returns when hooktape answers.
func (h *Hooktape) Start(ctx context.Context) error {
	program, err := h.harness.hooktape()
	if err != nil {
		return err
	}
	p, err := h.harness.start(h.dir+".log", program,
		append(slices.Clone(h.command), h.Addr,
			"--data", h.dir, "--ops-addr", h.Ops, "--clickhouse-dsn", h.dsn)...)
	if err != nil {
		return err
	}
	h.Process = p
	return h.awaitAnswer(ctx, h.Ops, "/metrics") // the hooks may speak TLS
}

// Ready is the readiness page of hooktape.
type Ready struct {
	Status int  `json:"-"`
	Ready  bool `json:"ready"`
	Drain  struct {
		WaitingEvents int64 `json:"waiting_events"`
		WaitingBytes  int64 `json:"waiting_bytes"`
	} `json:"drain"`
}

// AskReady reads the readiness page of the hooktape at addr.
func AskReady(ctx context.Context, addr string) (r Ready, err error) {
	response, err := get(ctx, addr, "/readyz")
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	r.Status = response.StatusCode
	if err := json.NewDecoder(response.Body).Decode(&r); err != nil {
		return r, fmt.Errorf("readiness page: %w", err)
	}
	return r, nil
}

func answers(ctx context.Context, addr, path string) bool {
	response, err := get(ctx, addr, path)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// once keeps no connections, because the servers are killed often.
var once = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func get(ctx context.Context, addr, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return nil, err
	}
	return once.Do(request)
}
