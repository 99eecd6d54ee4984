package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hooktape/ingest"
	"hooktape/internal/config"
	"hooktape/internal/outbound"
	"hooktape/internal/setting"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/replay"
	"hooktape/web/api"
	"hooktape/web/console"
)

// Options describe a process. All are required except Ready.
type Options struct {
	File    config.File // is read again when it changes
	Parts   Parts
	Version string
	Logger  *slog.Logger
	// Ready is called once everything answers. login is a one-time link to log in to the console; it is empty unless
	// the console listens on a loopback address and has a token.
	Ready func(cfg *config.Config, login string)
}

// Parts are the parts of the program that a process runs.
type Parts struct {
	Engine   bool // the embedded engine, if the configuration names no ClickHouse
	Ingest   bool
	Delivery bool // with the API and the console
}

// process is a running hooktape.
type process struct {
	Options
	cfg *config.Config // as of the start

	db *store.Store
	// addresses of this process, and those that the configuration has for other processes
	own      *outbound.OwnAddresses
	budget   descriptors
	damage   *damageWatch
	registry *prometheus.Registry
	tls      certificates // nil if the listeners speak plain HTTP
	outcomes *spool.Spool
	spools   []namedSpool
	runner   *replay.Runner // nil if this process does not deliver
	direct   *api.Direct    // the same

	sources   atomic.Pointer[ingest.Sources]
	endpoints atomic.Pointer[[]replay.Endpoint]
	hooks     atomic.Pointer[[]console.Source]
	read      setting.Stamp          // of the configuration file as it was last read
	inForce   int                    // number of sources
	changed   []func(*config.Config) // apply a changed configuration

	migrated chan struct{} // closed when the tables exist
	closers  []func() error
}

// flusher tries to store a spool's records in ClickHouse.
type flusher func(context.Context) error

const (
	answerGrace    = time.Second
	flushGrace     = 2 * time.Second
	telemetryGrace = 1500 * time.Millisecond
)
