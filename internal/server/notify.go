package server

import (
	"context"
	"errors"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"hooktape/replay"
)

const (
	readyPoll  = 100 * time.Millisecond
	healthWait = 5 * time.Second
)

// announce says when everything answers: to the person at the terminal (Options.Ready), and to the service manager that has started
// us, if it wants to know (sd_notify(3)):
//
//   - READY when everything answers: the hooks alone, for these wait for nothing; what delivers, when the tables are there.
//   - WATCHDOG as long as /healthz does, on each of our listeners: a process that answers nobody is started again.
//   - STOPPING when it ends.
func (p *process) announce(ctx context.Context) error {
	if _, err := daemon.SdNotify(false, "STATUS=Starting"); err != nil {
		p.Logger.Warn("the service manager cannot be told how it goes", "error", err)
	}
	if p.untilReady(ctx) {
		if p.Ready != nil {
			p.Ready(p.cfg)
		}
		_, _ = daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS=Everything answers")
		p.pat(ctx)
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping+"\nSTATUS=Stopping; nothing is lost")
	return nil
}

// untilReady returns false when ctx ends first. The ingest is ready when it answers: that its disk is full is no reason to start it
// again. What delivers is ready when it has begun to, or stands by.
func (p *process) untilReady(ctx context.Context) bool {
	if p.Parts.Delivery {
		_, _ = daemon.SdNotify(false, "STATUS=Waiting for ClickHouse; webhooks, if they are taken here, are taken")
		select {
		case <-p.migrated:
		case <-ctx.Done():
			return false
		}
	}
	for p.healthy(ctx, healthWait) != nil || p.Parts.Delivery && !p.delivers() {
		if !pause(ctx, readyPoll) {
			return false
		}
	}
	return true
}

// delivers reports whether the process delivers, or stands by for another. A damaged part is no reason not to.
func (p *process) delivers() bool {
	err := p.runner.Failing()
	return err == nil || errors.Is(err, replay.ErrStandby)
}

// pat keeps the watchdog quiet until ctx ends. It looks three times in its span, so that one slow answer is no end.
func (p *process) pat(ctx context.Context) {
	span, err := daemon.SdWatchdogEnabled(false)
	if err != nil || span == 0 {
		<-ctx.Done()
		return
	}
	tick := time.NewTicker(span / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if err := p.healthy(ctx, span/3); err == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			p.Logger.Error("not healthy; the watchdog is not told otherwise", "error", err)
		}
	}
}

// healthy asks the process's own listeners, as `hooktape healthcheck` does from outside.
func (p *process) healthy(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
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
