package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"hooktape/internal/config"
	"hooktape/internal/setting"
)

const reloadPoll = time.Second

// watchConfig reloads the configuration at SIGHUP and when its file changes, until ctx ends. It rejects an invalid file
// and keeps the configuration in force.
func (p *process) watchConfig(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	failures, _ := otel.Meter("hooktape").Int64Counter("hooktape.config.reload.failures", metric.WithUnit("{failure}"),
		metric.WithDescription("Configuration files that were refused while running."))

	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	for {
		select {
		case <-hangup:
		case <-tick.C:
			if setting.StampOf(p.File.Path) == p.read {
				continue
			}
		case <-ctx.Done():
			return nil
		}
		switch err := p.reload(); {
		case errors.Is(err, setting.ErrChanging):
			p.Logger.Warn("the configuration is being written; it is read once it is left alone", "path", p.File.Path)
		case err != nil:
			failures.Add(ctx, 1)
			p.Logger.Error("the changed configuration is refused; the old one stays in force", "error", err)
		}
	}
}

// reload applies the configuration file as it is now.
func (p *process) reload() error {
	fresh, stamp, err := p.File.Load()
	if errors.Is(err, setting.ErrChanging) {
		return err
	}
	p.read = stamp
	if err != nil {
		return err
	}
	if err := fresh.NotEmpty(p.File.Path); err != nil {
		return err
	}
	if p.Parts.Ingest && p.inForce > 0 && len(fresh.Sources) == 0 {
		return fmt.Errorf("%s has no source any more: restore it; to take no webhooks at all, restart hooktape",
			p.File.Path)
	}
	p.inForce = len(fresh.Sources)
	for _, apply := range p.changed {
		apply(fresh)
	}
	p.Logger.Info("the configuration is reloaded", "sources", len(fresh.Sources), "endpoints", len(fresh.Endpoints))
	if !reflect.DeepEqual(needsRestart(p.cfg), needsRestart(fresh)) {
		p.Logger.Warn("only sources and endpoints are changed while running; the other changes take effect at the " +
			"next start")
	}
	return nil
}

// needsRestart returns the configuration without what reload applies.
func needsRestart(c *config.Config) config.Config {
	rest := *c
	rest.Sources = nil
	rest.Endpoints = nil
	return rest
}
