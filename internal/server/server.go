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

	"github.com/prometheus/client_golang/prometheus"

	"hooktape/otel"
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
	accepting := newStage(ctx, fail)
	storing := newStage(ctx, fail)
	engine := newStage(ctx, fail)
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
