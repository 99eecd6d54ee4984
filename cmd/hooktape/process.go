package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hooktape/ingest"
	"hooktape/internal/outbound"
	"hooktape/internal/settled"
	"hooktape/internal/spool"
	"hooktape/internal/store"
	"hooktape/otel"
	"hooktape/replay"
	"hooktape/web/console"
)

// parts says what of the program a process runs.
type parts struct{ engine, ingest, replay bool }

// process is a running hooktape.
type process struct {
	*env
	cfg   *config
	parts parts
	ready func() // called once everything answers; may be nil

	db        *store.Store
	own       *outbound.OwnAddresses // this process's own addresses, and those that the configuration gives to its other half
	budget    descriptors
	outcomes  *spool.Spool
	runner    *replay.Runner // nil where nothing is delivered
	damage    *damageWatch
	registry  *prometheus.Registry
	tls       certificates // of the listeners; nil is plain HTTP
	sources   atomic.Pointer[ingest.Sources]
	endpoints atomic.Pointer[[]replay.Endpoint]
	hooks     atomic.Pointer[[]console.Source]
	read      settled.Stamp   // the configuration file as it was read last
	inForce   int             // sources
	changed   []func(*config) // take what may change while running into use
	migrated  chan struct{}   // closed when the tables are there
	closers   []func() error
}

const (
	answerGrace    = time.Second
	flushGrace     = 2 * time.Second
	telemetryGrace = 1500 * time.Millisecond
)

// run starts the stages in the order in which they need each other, and stops them in the opposite one:
//
//  1. accepting: listeners and replay jobs; requests and attempts in flight are finished.
//  2. storing: the drains, after a last try to bring what is on disk to ClickHouse.
//  3. telemetry is flushed; the spools are closed.
//  4. the embedded engine.
func (p *process) run() (err error) {
	ctx, fail := context.WithCancelCause(p.ctx)
	defer fail(nil)
	accepting, storing, engine := newStage(ctx, fail), newStage(ctx, fail), newStage(ctx, fail)
	p.read = settled.Of(p.cli.configPath()) // before anything answers: what is changed from then on is a change
	if err = p.cfg.notEmpty(p.cli.configPath()); err != nil {
		return err
	}
	p.inForce = len(p.cfg.Sources)
	p.migrated = make(chan struct{})
	p.registry = prometheus.NewRegistry()
	p.sources.Store(p.cfg.sources())
	if p.budget, err = descriptorBudget(); err != nil {
		return err
	}
	if err = p.keepPrivate(); err != nil {
		return fmt.Errorf("keep the data directory private: %w", err)
	}

	if p.db, err = p.cfg.openStore(); err != nil {
		return err
	}
	defer p.db.Close()
	p.own = p.cfg.own(p.db)
	p.damage = &damageWatch{db: p.db, log: p.log, reads: p.parts.replay}
	defer engine.stop()
	defer func() { err = errors.Join(err, p.close()) }()
	endTelemetry, err := otel.Setup(ctx, otel.Options{ServiceName: "hooktape", Version: buildVersion(),
		Spans: p.db.SpanExporter(), Sample: p.cfg.Traces.Sample, Registry: p.registry, Logger: p.log})
	if err != nil {
		return err
	}

	if p.tls, err = p.openTLS(accepting); err != nil {
		return err
	}
	var flush []func(context.Context) error
	limitMemory(p.cfg)
	if p.parts.ingest {
		drain, err := p.startIngest(accepting, storing)
		if err != nil {
			return err
		}
		flush = append(flush, drain.Flush)
	}
	if p.parts.replay {
		recorder, err := p.startReplay(accepting, storing)
		if err != nil {
			return err
		}
		flush = append(flush, recorder.Flush)
	}
	if p.tls != nil {
		accepting.run(p.tls.Run) // now that an authority finds the listener
	}
	accepting.run(p.watchConfig)
	if err := p.startOps(accepting); err != nil {
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
		p.log.Info("stopping")
	} else {
		err = context.Cause(ctx)
	}
	accepting.stop()
	p.flush(flush)
	storing.stop()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryGrace)
	defer cancel()
	if lost := endTelemetry(grace); lost != nil {
		p.log.Warn("the last spans may be lost", "error", lost)
	}
	return err
}

// flush tries to bring to ClickHouse what is on disk. What is not there in time waits for the next start.
func (p *process) flush(all []func(context.Context) error) {
	select {
	case <-p.migrated:
	default:
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushGrace)
	defer cancel()
	for _, flush := range all {
		if err := flush(ctx); err != nil {
			p.log.Info("what is not yet in ClickHouse waits on disk for the next start")
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
