package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/pprof"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"hooktape/ingest"
	"hooktape/internal/event"
	"hooktape/internal/spool"
	"hooktape/replay"
	"hooktape/web/api"
)

func (p *process) startIngest(accepting, storing *stage) (*spool.Drain, error) {
	events, err := p.openSpool("events", accepting)
	if err != nil {
		return nil, err
	}
	kind := func(source string) event.Kind { return p.sources.Load().Kind(source) }
	drain := spool.NewDrain(events, ingest.NewSink(p.db, kind, p.log), p.cfg.Drain, p.log)
	options := p.cfg.Ingest
	options.Write = options.Read + 10*time.Second
	options.Limits.MaxConnections = min(options.Limits.MaxConnections, p.budget.Ingest)
	options.Limits.MaxConnectionsPerAddress = min(options.Limits.MaxConnectionsPerAddress, options.Limits.MaxConnections)
	if p.tls != nil {
		options.TLS = p.tls.Config()
	}
	server, err := ingest.NewServer(options, p.sources.Load(), events, p.lagOf(events, drain), p.log)
	if err != nil {
		return nil, err
	}
	listener, err := p.listen(p.cfg.IngestAddr, "--ingest-addr", ownHooks)
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

func (p *process) lagOf(events *spool.Spool, drain *spool.Drain) func() ingest.Lag {
	return func() ingest.Lag {
		stat := events.Stat()
		return ingest.Lag{Events: stat.Records, Bytes: stat.Bytes, Oldest: stat.Oldest, Error: drain.Failing(), DamagedSpools: len(stat.Damaged),
			Unreadable: p.damage.failing()}
	}
}

func (p *process) startReplay(accepting, storing *stage) (*replay.Recorder, error) {
	outcomes, err := p.openSpool("outcomes", accepting)
	if err != nil {
		return nil, err
	}
	p.outcomes = outcomes
	recorder := replay.NewRecorder(outcomes, p.db, p.log)
	endpoints := p.cfg.endpoints()
	p.endpoints.Store(&endpoints)
	options := p.cfg.replayOptions()
	options.Own = p.own
	runner := replay.NewRunner(options, endpoints, p.db, recorder, p.log)
	p.runner = runner
	p.changed = append(p.changed, func(fresh *config) {
		endpoints := fresh.endpoints()
		p.endpoints.Store(&endpoints)
		runner.SetEndpoints(endpoints)
	})
	handler, err := p.api(runner)
	if err != nil {
		return nil, err
	}
	listener, err := p.listen(p.cfg.APIAddr, "--api-addr", ownAPI)
	if err != nil {
		return nil, err
	}
	listener = netutil.LimitListener(listener, p.budget.API)
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
	service.Own = p.own
	direct := api.NewDirect(p.db, service, replay.Actor{})
	guard := api.NewGuard(p.log)
	failing := func() error { return cmp.Or(runner.Failing(), p.damage.failing()) }
	handler, err := api.New(api.Options{Direct: direct, Guard: guard, Tokens: p.cfg.API.Tokens, Failing: failing, Broken: p.outcomes.Err, Version: buildVersion(), Logger: p.log})
	if err != nil {
		return nil, err
	}
	return p.front(handler, direct, guard)
}

// startOps serves what only the operator may see, on an address of its own.
func (p *process) startOps(accepting *stage) error {
	if p.cfg.OpsAddr == "" {
		return nil
	}
	listener, err := p.listen(p.cfg.OpsAddr, "--ops-addr", ownOps)
	if err != nil {
		return err
	}
	listener = netutil.LimitListener(listener, opsConnections)
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

// openSpool opens a spool, and ends the process when that has failed for good: whoever has started it starts it again.
func (p *process) openSpool(name string, stage *stage) (*spool.Spool, error) {
	options := p.cfg.Spool
	options.MaxOpenFiles, options.Logger = p.budget.Tables, p.log
	options.OnCommit, options.OnStore = commitTimes(name), storeTimes(name)
	s, err := patientlyOpen(p.ctx, filepath.Join(p.cli.spools(), name), options)
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, s.Close)
	stage.run(func(ctx context.Context) error { return untilFailed(ctx, s) })
	return s, observeSpool(name, s)
}

const (
	lockPatience = 15 * time.Second
	lockPause    = 100 * time.Millisecond
)

// patientlyOpen opens a spool. A process that was killed a moment ago may hold it until the disk has answered its last write.
func patientlyOpen(ctx context.Context, dir string, o spool.Options) (*spool.Spool, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for said := false; ; said = true {
		s, err := spool.Open(dir, o)
		if !errors.Is(err, spool.ErrLocked) {
			return s, err
		}
		if !said {
			o.Logger.Warn("another process holds the spool; waiting for its end", "path", dir, "patience", lockPatience)
		}
		if !pause(ctx, lockPause) {
			return nil, err
		}
	}
}

// untilFailed returns an error when the spool has failed for good, and nil when ctx ends first.
func untilFailed(ctx context.Context, s *spool.Spool) error {
	select {
	case <-s.Failed():
		return s.Err()
	case <-ctx.Done():
		return nil
	}
}
