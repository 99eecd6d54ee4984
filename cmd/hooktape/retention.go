package main

import (
	"context"
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

// sweep removes deliveries and replays that ended long ago, once a day. Of several processes that deliver one is enough.
func (p *process) sweep(ctx context.Context) error {
	if index, _, _ := p.cfg.shard(); index != 1 {
		return nil
	}
	timer := time.NewTimer(sweepDelay)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(sweepInterval)
		case <-ctx.Done():
			return nil
		}
		n, err := p.db.Sweep(ctx, p.cfg.retention().Attempts)
		switch {
		case err != nil && ctx.Err() == nil:
			p.log.Warn("old deliveries cannot be removed now; it is tried again tomorrow", "error", err)
		case n > 0:
			p.log.Info("deliveries past their retention are removed", "deliveries", n)
		}
	}
}
