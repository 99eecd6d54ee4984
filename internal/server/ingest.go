package server

import (
	"context"
	"time"

	"hooktape/ingest"
	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/internal/spool"
)

// startIngest starts the listener for webhooks, and the drain that stores them.
func (p *process) startIngest(ctx context.Context, accepting, storing *stage) (*spool.Drain, error) {
	events, err := p.openSpool(ctx, config.EventSpool, accepting)
	if err != nil {
		return nil, err
	}
	kind := func(source string) event.Kind { return p.sources.Load().Kind(source) }
	drain := spool.NewDrain(events, ingest.NewSink(p.db, kind, p.Logger), p.cfg.Drain, p.Logger)
	options := p.cfg.Ingest
	options.Own = p.own
	options.Write = options.Read + 10*time.Second
	options.Limits.MaxConnections = min(options.Limits.MaxConnections, p.budget.Ingest)
	options.Limits.MaxConnectionsPerAddress = min(options.Limits.MaxConnectionsPerAddress,
		options.Limits.MaxConnections)
	options.Limits.MaxForwards = min(options.Limits.MaxForwards, p.budget.Forwards,
		max(1, options.Limits.MaxConnections/4))
	if p.tls != nil {
		options.TLS = p.tls.Config()
	}
	server, err := ingest.NewServer(options, p.sources.Load(), events, p.lag(events, drain), p.Logger)
	if err != nil {
		return nil, err
	}
	listener, err := p.listen(p.cfg.IngestAddr, "--ingest-addr", config.OwnHooks)
	if err != nil {
		return nil, err
	}
	accepting.run(func(ctx context.Context) error { return server.Serve(ctx, listener) })
	p.changed = append(p.changed, func(fresh *config.Config) {
		p.sources.Store(fresh.IngestSources())
		server.SetSources(p.sources.Load())
	})
	storing.run(p.whenMigrated(drain.Run))
	return drain, nil
}

func (p *process) lag(events *spool.Spool, drain *spool.Drain) func() ingest.Lag {
	return func() ingest.Lag {
		stat := events.Stat()
		return ingest.Lag{
			Events:        stat.Records,
			Bytes:         stat.Bytes,
			Oldest:        stat.Oldest,
			Error:         drain.Failing(),
			DamagedSpools: len(stat.Damaged),
			Unreadable:    p.damage.failing(),
		}
	}
}
