package main

import (
	"context"
	"log/slog"
	"time"
)

const (
	sweepDelay    = 10 * time.Minute // by then the followers are past what they look at again
	sweepInterval = 24 * time.Hour
)

// applyRetention puts the configured retention in force and says what that changes.
func (p *process) applyRetention(ctx context.Context) {
	changes, err := p.db.ApplyRetention(ctx, p.cfg.retention())
	for _, c := range changes {
		p.log.Warn("the retention is changed", "of", c.What, "from", c.Before, "to", c.After)
	}
	if err != nil {
		p.log.Warn("the retention cannot be put in force; `hooktape migrate` tries it again", "error", err)
	}
}

// sweep removes deliveries and replays that ended long ago.
func (p *process) sweep(ctx context.Context) error {
	return daily(ctx, p.log, func(ctx context.Context) (uint64, error) { return p.db.Purge(ctx, p.cfg.retention().Attempts) })
}

// daily sweeps once a day, for the first time when the process has found its feet.
func daily(ctx context.Context, log *slog.Logger, sweep func(context.Context) (uint64, error)) error {
	timer := time.NewTimer(sweepDelay)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(sweepInterval)
		case <-ctx.Done():
			return nil
		}
		n, err := sweep(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("old deliveries cannot be removed now; it is tried again tomorrow", "error", err)
		case n > 0:
			log.Info("deliveries past their retention are removed", "deliveries", n)
		}
	}
}
