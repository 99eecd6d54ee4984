package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"hooktape/internal/store"
)

const (
	// detachedInterval is the time between two looks at the list of detached parts, which is cheap for ClickHouse.
	detachedInterval = 5 * time.Second
	// checkInterval is the time between two checks of the parts written since the last one, and between two log lines
	// about the same damage. While a part is damaged, the checks are recheckInterval apart.
	checkInterval   = time.Hour
	recheckInterval = time.Minute
)

// damageWatch finds parts of ClickHouse's tables that cannot be read.
type damageWatch struct {
	db  *store.Store
	log *slog.Logger
	// reads also reads the parts instead of only listing detached ones. One process in an installation is enough.
	reads bool

	detached, damaged []store.DamagedPart
	logged            map[string]time.Time // by path
	found             atomic.Pointer[error]
}

// failing returns an error that wraps [store.ErrDamaged] if a part is known to be damaged.
func (w *damageWatch) failing() error {
	if err := w.found.Load(); err != nil {
		return *err
	}
	return nil
}

// run checks at the start and periodically until ctx ends.
func (w *damageWatch) run(ctx context.Context) error {
	w.logged = map[string]time.Time{}
	tick := time.NewTicker(detachedInterval)
	defer tick.Stop()
	log := rate.Sometimes{First: 1, Interval: checkInterval}
	since := time.Now().Add(-checkInterval)
	for next := time.Now(); ; {
		begun := time.Now()
		err := w.list(ctx)
		if err == nil && w.reads && !begun.Before(next) {
			next = begun.Add(recheckInterval)
			w.damaged, err = w.db.CheckParts(ctx, since, nil)
			if err == nil && len(w.damaged) == 0 {
				since = begun
				next = begun.Add(checkInterval)
			}
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			log.Do(func() {
				w.log.Warn("ClickHouse's parts cannot be checked; hooktape doctor says what to do", "error", err)
			})
		}
		w.report()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *damageWatch) list(ctx context.Context) error {
	parts, err := w.db.DetachedParts(ctx)
	if err == nil {
		w.detached = parts
	}
	return err
}

// report publishes the damage for failing, and logs each damaged part once an hour.
func (w *damageWatch) report() {
	parts := append(w.detached[:len(w.detached):len(w.detached)], w.damaged...)
	for _, p := range parts {
		if time.Since(w.logged[p.Path]) < checkInterval {
			continue
		}
		w.logged[p.Path] = time.Now()
		w.log.Error(store.ErrDamaged.Error(), "table", p.Table, "part", p.Part, "path", p.Path, "set_aside", p.Detached,
			"reason", p.Reason, "do", p.Remedy())
	}
	if len(parts) == 0 {
		w.found.Store(nil)
		return
	}
	err := fmt.Errorf("%w: %s", store.ErrDamaged, parts[0])
	w.found.Store(&err)
}
