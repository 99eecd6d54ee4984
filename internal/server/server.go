// Package server is a running hooktape: it starts the parts of the program that a process has, and stops them again. A
// process always stops stage by stage:
//
//  1. Accepting: listeners and workers of deliveries. Requests and attempts in flight are finished.
//  2. Storing: the drains, after one more try to store the rest in ClickHouse.
//  3. Telemetry is flushed, and the spools are closed.
//  4. The embedded engine.
//
// An error that ends one part ends the process; its service manager restarts it.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hooktape/ingest"
	"hooktape/internal/config"
	"hooktape/internal/outbound"
	"hooktape/internal/settled"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/otel"
	"hooktape/replay"
	"hooktape/web/console"
)

// Options describe a process. All are required except Ready.
type Options struct {
	File    config.File // is read again when it changes
	Parts   Parts
	Version string
	Logger  *slog.Logger
	Ready   func(*config.Config) // is called once everything answers
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

	db       *store.Store
	own      *outbound.OwnAddresses // addresses of this process, and those that the configuration has for other processes
	budget   descriptors
	damage   *damageWatch
	registry *prometheus.Registry
	tls      certificates // nil if the listeners speak plain HTTP
	outcomes *spool.Spool
	runner   *replay.Runner // nil if this process does not deliver

	sources   atomic.Pointer[ingest.Sources]
	endpoints atomic.Pointer[[]replay.Endpoint]
	hooks     atomic.Pointer[[]console.Source]
	read      settled.Stamp          // of the configuration file as it was last read
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

// Run runs a process until ctx ends or one of its parts fails.
func Run(ctx context.Context, o Options) error {
	p := &process{Options: o, migrated: make(chan struct{}), registry: prometheus.NewRegistry()}
	if err := p.configure(); err != nil {
		return err
	}
	db, err := p.cfg.OpenStore()
	if err != nil {
		return err
	}
	defer db.Close()
	p.db = db
	p.own = p.cfg.Own(db)
	p.damage = &damageWatch{db: db, log: p.Logger, reads: p.Parts.Delivery}
	return p.run(ctx)
}

// configure reads the configuration and prepares the process and its data directory.
func (p *process) configure() (err error) {
	if p.cfg, p.read, err = p.File.Load(); err != nil {
		return err
	}
	if err := p.cfg.NotEmpty(p.File.Path); err != nil {
		return err
	}
	p.Parts.Engine = p.Parts.Engine && p.cfg.UsesEngine()
	if p.Parts.Engine {
		if err := p.cfg.EnsurePasswords(p.File.Data); err != nil {
			return err
		}
	}
	p.inForce = len(p.cfg.Sources)
	p.sources.Store(p.cfg.IngestSources())
	if p.budget, err = descriptorBudget(); err != nil {
		return err
	}
	limitMemory(p.cfg.Ingest.MaxMemory)
	if err := p.keepPrivate(); err != nil {
		return fmt.Errorf("keep the data directory private: %w", err)
	}
	return nil
}

// run starts the stages in the order in which they need each other, and stops them in the opposite order.
func (p *process) run(parent context.Context) (err error) {
	ctx, fail := context.WithCancelCause(parent)
	defer fail(nil)
	accepting, storing, engine := newStage(ctx, fail), newStage(ctx, fail), newStage(ctx, fail)
	defer engine.stop()
	defer func() { err = errors.Join(err, p.close()) }()
	endTelemetry, err := otel.Setup(ctx, otel.Options{
		ServiceName: "hooktape",
		Version:     p.Version,
		Spans:       p.db.SpanExporter(),
		Sample:      p.cfg.Traces.Sample,
		Registry:    p.registry,
		Logger:      p.Logger,
	})
	if err != nil {
		return err
	}
	flush, err := p.start(ctx, accepting, storing)
	if err != nil {
		return err
	}
	engineUp := make(chan struct{})
	if err := p.startEngine(engine, engineUp); err != nil {
		return err
	}
	storing.run(func(ctx context.Context) error { return p.migrate(ctx, engineUp) })
	storing.run(p.whenMigrated(p.damage.run))
	accepting.run(p.announce)

	<-ctx.Done()
	if errors.Is(context.Cause(ctx), context.Canceled) {
		p.Logger.Info("stopping")
	} else {
		err = context.Cause(ctx)
	}
	accepting.stop()
	p.flush(flush)
	storing.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryGrace)
	defer cancel()
	if lost := endTelemetry(grace); lost != nil {
		p.Logger.Warn("the last spans may be lost", "error", lost)
	}
	return err
}

// start starts the stages accepting and storing. It returns the flushers to call at the end.
func (p *process) start(ctx context.Context, accepting, storing *stage) (flush []flusher, err error) {
	if p.tls, err = p.openTLS(accepting); err != nil {
		return nil, err
	}
	if p.Parts.Ingest {
		drain, err := p.startIngest(ctx, accepting, storing)
		if err != nil {
			return nil, err
		}
		flush = append(flush, drain.Flush)
	}
	if p.Parts.Delivery {
		recorder, err := p.startDelivery(ctx, accepting, storing)
		if err != nil {
			return nil, err
		}
		flush = append(flush, recorder.Flush)
	}
	if p.tls != nil {
		accepting.run(p.tls.Run) // from now on an authority reaches the listener
	}
	accepting.run(p.watchConfig)
	return flush, p.startOps(accepting)
}

// flush calls all flushers. Records that are not stored in time stay on disk until the next start.
func (p *process) flush(all []flusher) {
	select {
	case <-p.migrated:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushGrace)
	defer cancel()
	for _, flush := range all {
		if err := flush(ctx); err != nil {
			p.Logger.Info("what is not yet in ClickHouse waits on disk for the next start")
			return
		}
	}
}

func (p *process) close() error {
	var errs []error
	for _, c := range p.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}
