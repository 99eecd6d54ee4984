package main

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

	"hooktape/internal/settled"
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

	path := p.cli.configPath()
	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	for {
		select {
		case <-hangup:
		case <-tick.C:
			if settled.Of(path) == p.read {
				continue
			}
		case <-ctx.Done():
			return nil
		}
		switch err := p.reload(); {
		case errors.Is(err, settled.ErrChanging):
			p.log.Warn("the configuration is being written; it is read once it is left alone", "path", path)
		case err != nil:
			failures.Add(ctx, 1)
			p.log.Error("the changed configuration is refused; the old one stays in force", "error", err)
		}
	}
}

// reload takes up the configuration file as it is now.
func (p *process) reload() error {
	path := p.cli.configPath()
	texts, read, err := settled.Read(path)
	if errors.Is(err, settled.ErrChanging) {
		return err
	}
	if err != nil {
		p.read = settled.Of(path) // is said once
		return err
	}
	p.read = read
	fresh, err := parseConfig(path, texts[0])
	if err != nil {
		return err
	}
	if err := fresh.notEmpty(path); err != nil {
		return err
	}
	if p.parts.ingest && p.inForce > 0 && len(fresh.Sources) == 0 {
		return fmt.Errorf("%s has no source any more: restore it; to take no webhooks at all, restart hooktape", path)
	}
	p.inForce = len(fresh.Sources)
	p.cli.override(fresh)
	for _, use := range p.changed {
		use(fresh)
	}
	p.log.Info("the configuration is reloaded", "sources", len(fresh.Sources), "endpoints", len(fresh.Endpoints))
	old := *p.cfg
	old.Sources, fresh.Sources = nil, nil
	old.Endpoints, fresh.Endpoints = nil, nil
	if fresh.Embedded.readerPassword = old.Embedded.readerPassword; fresh.Embedded.Password == "" {
		fresh.Embedded.Password = old.Embedded.Password // which the file leaves to the program
	}
	if !reflect.DeepEqual(&old, fresh) {
		p.log.Warn("only sources and endpoints are changed while running; the other changes take effect at the next start")
	}
	return nil
}
