package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/store"
)

const migratePoll = 500 * time.Millisecond

// migrate updates the tables as soon as ClickHouse answers and accepts the user, however long that takes: webhooks wait
// on disk meanwhile. It returns an error if the tables are newer than the program, too old, or not those of the
// configured cluster; and if ClickHouse rejects the user of a process that does not receive webhooks.
func (p *process) migrate(ctx context.Context, engineUp <-chan struct{}) error {
	select {
	case <-engineUp:
	case <-ctx.Done():
		return nil
	}
	log := rate.Sometimes{First: 1, Interval: time.Minute}
	created := false
	for {
		if was, err := p.db.SchemaNow(ctx); err == nil && was.At == 0 {
			created = true
		}
		_, err := p.db.Migrate(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			p.applyRetention(ctx, created)
			close(p.migrated)
			return nil
		case errors.Is(err, store.ErrNewerSchema), errors.Is(err, store.ErrOlderSchema),
			errors.Is(err, store.ErrOtherLayout), errors.Is(err, store.ErrUnauthorized) && !p.Parts.Ingest:
			return err
		}
		log.Do(func() {
			p.Logger.Error("ClickHouse cannot be used yet; what is to be stored waits on disk", "error", err)
		})
		if !pause(ctx, migratePoll) {
			return nil
		}
	}
}

// whenMigrated returns an actor that begins when the tables exist.
func (p *process) whenMigrated(act actor) actor {
	return func(ctx context.Context) error {
		select {
		case <-p.migrated:
			return act(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// applyRetention applies the configured retention and logs what that changes. In existing tables the change may remove
// rows.
func (p *process) applyRetention(ctx context.Context, created bool) {
	level := slog.LevelWarn
	if created {
		level = slog.LevelInfo
	}
	changes, err := p.db.ApplyRetention(ctx, p.cfg.StoreRetention())
	for _, c := range changes {
		p.Logger.Log(ctx, level, "the retention is changed", "of", c.What, "from", c.Before, "to", c.After)
	}
	if err != nil {
		p.Logger.Warn("the retention cannot be put in force; `hooktape migrate` tries it again", "error", err)
	}
}

// purge removes expired deliveries and replays once a day.
func (p *process) purge(ctx context.Context) error {
	return daily(ctx, p.Logger, func(ctx context.Context) (uint64, error) {
		return p.db.Purge(ctx, p.cfg.StoreRetention().Attempts)
	})
}

const (
	// by then the pollers have looked at all events that they look at again after a start
	purgeDelay    = 10 * time.Minute
	purgeInterval = 24 * time.Hour
)

// daily calls purge once a day, the first time after purgeDelay. purge returns how many deliveries it removed.
func daily(ctx context.Context, log *slog.Logger, purge func(context.Context) (uint64, error)) error {
	timer := time.NewTimer(purgeDelay)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(purgeInterval)
		case <-ctx.Done():
			return nil
		}
		n, err := purge(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			log.Warn("old deliveries cannot be removed now; it is tried again tomorrow", "error", err)
		case n > 0:
			log.Info("deliveries past their retention are removed", "deliveries", n)
		}
	}
}
