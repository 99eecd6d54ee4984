package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"hooktape/event"
	"hooktape/ingest"
	"hooktape/otel"
	"hooktape/replay"
	"hooktape/replay/api"
	"hooktape/replay/console"
	"hooktape/spool"
	"hooktape/store"
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
	registry  *prometheus.Registry
	tls       certificates // of the listeners; nil is plain HTTP
	sources   atomic.Pointer[ingest.Sources]
	endpoints atomic.Pointer[[]replay.Endpoint]
	hooks     atomic.Pointer[[]console.Source]
	read      fileStamp       // the configuration file as it was at the start
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
	p.read = stamp(p.cli.configPath()) // before anything answers: what is changed from then on is a change
	p.migrated = make(chan struct{})
	p.registry = prometheus.NewRegistry()
	p.sources.Store(p.cfg.sources())

	if p.db, err = p.cfg.openStore(); err != nil {
		return err
	}
	defer p.db.Close()
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
	accepting.run(p.tellSystemd)

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

func (p *process) startIngest(accepting, storing *stage) (*spool.Drain, error) {
	events, err := p.openSpool("events")
	if err != nil {
		return nil, err
	}
	kind := func(source string) event.Kind { return p.sources.Load().Kind(source) }
	drain := spool.NewDrain(events, ingest.NewSink(p.db, kind, p.log), p.cfg.drainLimits(), p.log)
	options := p.cfg.ingestOptions()
	if p.tls != nil {
		options.TLS = p.tls.Config()
	}
	server, err := ingest.NewServer(options, p.sources.Load(), events, lagOf(events, drain), p.log)
	if err != nil {
		return nil, err
	}
	listener, err := listen(p.cfg.IngestAddr, "--ingest-addr")
	if err != nil {
		return nil, err
	}
	accepting.run(func(ctx context.Context) error { return server.Serve(ctx, listener) })
	p.changed = append(p.changed, func(fresh *config) {
		p.sources.Store(fresh.sources())
		server.SetSources(p.sources.Load())
	})
	storing.run(p.whenMigrated(drain.Run))
	return drain, nil
}

func lagOf(events *spool.Spool, drain *spool.Drain) func() ingest.Lag {
	return func() ingest.Lag {
		stat := events.Stat()
		return ingest.Lag{Events: stat.Records, Bytes: stat.Bytes, Oldest: stat.Oldest, Error: drain.Failing()}
	}
}

func (p *process) startReplay(accepting, storing *stage) (*replay.Recorder, error) {
	outcomes, err := p.openSpool("outcomes")
	if err != nil {
		return nil, err
	}
	recorder := replay.NewRecorder(outcomes, p.db, p.log)
	endpoints := p.cfg.endpoints()
	p.endpoints.Store(&endpoints)
	runner := replay.NewRunner(p.cfg.replayOptions(), endpoints, p.db, recorder, p.log)
	p.changed = append(p.changed, func(fresh *config) {
		endpoints := fresh.endpoints()
		p.endpoints.Store(&endpoints)
		runner.SetEndpoints(endpoints)
	})
	handler, err := p.api(runner)
	if err != nil {
		return nil, err
	}
	listener, err := listen(p.cfg.APIAddr, "--api-addr")
	if err != nil {
		return nil, err
	}
	if p.cfg.TLS.API {
		listener = tls.NewListener(listener, p.tls.Config())
	}
	storing.run(p.whenMigrated(recorder.Run))
	accepting.run(p.whenMigrated(runner.Run))
	storing.run(p.whenMigrated(p.sweep))
	accepting.run(func(ctx context.Context) error { return p.serveHTTP(ctx, listener, handler) })
	return recorder, nil
}

// api is the API and the console, with the endpoints as they are at each time.
func (p *process) api(runner *replay.Runner) (http.Handler, error) {
	service := replay.NewService(p.db, func() []replay.Endpoint { return *p.endpoints.Load() }, p.cfg.Replay.AllowPrivate)
	looks := api.NewLooks(p.db)
	handler, err := api.New(api.Options{Store: p.db, Service: service, Looks: looks, Tokens: p.cfg.tokens(), Failing: runner.Failing, Version: buildVersion(), Logger: p.log})
	if err != nil {
		return nil, err
	}
	return p.front(handler, service, looks)
}

// startOps serves what only the operator may see, on an address of its own.
func (p *process) startOps(accepting *stage) error {
	if p.cfg.OpsAddr == "" {
		return nil
	}
	listener, err := listen(p.cfg.OpsAddr, "--ops-addr")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{Registry: p.registry, EnableOpenMetrics: true}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	accepting.run(func(ctx context.Context) error { return p.serveHTTP(ctx, listener, mux) })
	return nil
}

func (p *process) startEngine(stage *stage, up chan struct{}) error {
	if !p.parts.engine {
		close(up)
		return nil
	}
	e, err := newEngine(p.cfg, p.cli.Data, p.log)
	if err != nil {
		return err
	}
	stage.run(func(ctx context.Context) error {
		return e.run(ctx, func(again bool) {
			if again {
				p.log.Info("the embedded ClickHouse is back")
				return
			}
			close(up)
		})
	})
	return nil
}

// whenMigrated is an actor that begins when the tables are there.
func (p *process) whenMigrated(actor func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-p.migrated:
			return actor(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *process) openSpool(name string) (*spool.Spool, error) {
	options := spool.DefaultOptions()
	options.MaxBytes, options.MinFree, options.Logger = int64(p.cfg.Spool.MaxBytes), uint64(p.cfg.Spool.MinFree), p.log
	options.OnCommit, options.OnStore = commitTimes(name), storeTimes(name)
	s, err := spool.Open(filepath.Join(p.cli.spools(), name), options)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, s.Close)
	return s, observeSpool(name, s)
}

func listen(addr, flag string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken by another program (another hooktape?); stop that, or choose another address by %s", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return listener, nil
}

// serveHTTP answers until ctx ends, and a moment longer, so that what is being made is made.
func (p *process) serveHTTP(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerGrace)
		defer cancel()
		if server.Shutdown(grace) != nil {
			_ = server.Close() // streams have no end of their own
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-ended
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
