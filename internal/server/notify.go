package server

import (
	"context"
	"errors"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"hooktape/replay"
)

const (
	readyPoll     = 100 * time.Millisecond
	healthTimeout = 5 * time.Second
)

// announce calls Options.Ready when everything answers, and notifies the service manager that started the process, if
// there is one (sd_notify(3)):
//
//   - READY when everything answers. The ingest waits for nothing; a process that delivers waits for the tables.
//   - WATCHDOG as long as every listener answers /healthz, so that a process that hangs is restarted.
//   - STOPPING when the process ends.
func (p *process) announce(ctx context.Context) error {
	if _, err := daemon.SdNotify(false, "STATUS=Starting"); err != nil {
		p.Logger.Warn("the service manager cannot be told how it goes", "error", err)
	}
	if p.untilReady(ctx) {
		if p.Ready != nil {
			p.Ready(p.cfg, p.loginLink(ctx))
		}
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS=Everything answers")
		p.notifyWatchdog(ctx)
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping+"\nSTATUS=Stopping; nothing is lost")
	return nil
}

// untilReady waits until the process is ready, and returns false if ctx ends first. The ingest is ready when it
// answers, even with a full disk, which a restart would not help. A process that delivers is ready when it has begun
// to, or stands by.
func (p *process) untilReady(ctx context.Context) bool {
	if p.Parts.Delivery {
		_, _ = daemon.SdNotify(false, "STATUS=Waiting for ClickHouse; webhooks, if they are taken here, are taken")
		select {
		case <-p.migrated:
		case <-ctx.Done():
			return false
		}
	}
	for p.healthy(ctx, healthTimeout) != nil || p.Parts.Delivery && !p.delivers() {
		if !pause(ctx, readyPoll) {
			return false
		}
	}
	return true
}

// delivers reports whether the process delivers or stands by for another one. It delivers despite damaged parts.
func (p *process) delivers() bool {
	err := p.runner.Failing()
	return err == nil || errors.Is(err, replay.ErrStandby)
}

// notifyWatchdog notifies the watchdog until ctx ends. It checks three times in the watchdog's interval, because one
// slow answer should not end the process.
func (p *process) notifyWatchdog(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(interval / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := p.healthy(ctx, interval/3); err == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			p.Logger.Error("not healthy; the watchdog is not told otherwise", "error", err)
		}
	}
}

// healthy probes the process's own listeners, as `hooktape healthcheck` does from outside.
func (p *process) healthy(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var ingest, api error
	if p.Parts.Ingest {
		ingest = Check(ctx, "ingest", p.cfg.IngestAddr, "/healthz")
	}
	if p.Parts.Delivery {
		api = Check(ctx, "API", p.cfg.APIAddr, "/healthz")
	}
	return errors.Join(ingest, api)
}
