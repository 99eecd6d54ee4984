package main

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

const reloadPoll = time.Second

// watchConfig reloads the configuration at SIGHUP and when its file changes, until ctx ends. A file that is wrong is
// refused, and what was in force stays.
func (p *process) watchConfig(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	failures, _ := otel.Meter("hooktape").Int64Counter("hooktape.config.reload.failures", metric.WithUnit("{failure}"),
		metric.WithDescription("Configuration files that were refused while running."))

	path, seen := p.cli.configPath(), p.read
	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	for {
		select {
		case <-hangup:
			seen = stamp(path)
		case <-tick.C:
			now := stamp(path)
			if now == seen {
				continue
			}
			seen = now
		case <-ctx.Done():
			return nil
		}
		if err := p.reload(); err != nil {
			failures.Add(ctx, 1)
			p.log.Error("the changed configuration is refused; the old one stays in force", "error", err)
		}
	}
}

// fileStamp tells one version of a file from another. Editors and orchestrators replace files rather than write into
// them, which a look each second sees however they do it.
type fileStamp struct {
	modified time.Time
	size     int64
}

func stamp(path string) fileStamp {
	info, err := os.Stat(path)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.ModTime(), info.Size()}
}

func (p *process) reload() error {
	fresh, err := p.config()
	if err != nil {
		return err
	}
	for _, use := range p.changed {
		use(fresh)
	}
	p.log.Info("the configuration is reloaded", "sources", len(fresh.Sources), "endpoints", len(fresh.Endpoints))
	old := *p.cfg
	old.Sources, fresh.Sources = nil, nil
	old.Endpoints, fresh.Endpoints = nil, nil
	if !reflect.DeepEqual(&old, fresh) {
		p.log.Warn("only sources and endpoints are changed while running; the other changes take effect at the next start")
	}
	return nil
}
