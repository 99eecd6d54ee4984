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
	// detachedInterval is how often the parts that ClickHouse has set aside are listed, which costs it nothing.
	detachedInterval = 5 * time.Second
	// checkInterval is how often the parts written meanwhile are read, and how often a damage that stays is logged;
	// recheckInterval how often they are while one of them is damaged.
	checkInterval   = time.Hour
	recheckInterval = time.Minute
)

// damageWatch looks for parts of ClickHouse's tables that cannot be read.
type damageWatch struct {
	db  *store.Store
	log *slog.Logger
	// reads: parts are read, besides listing those that are set aside. One process in an installation is enough.
	reads bool

	detached, damaged []store.DamagedPart
	logged            map[string]time.Time // by path
	found             atomic.Pointer[error]
}

// failing returns what is damaged; nil when nothing is known to be. The error wraps [store.ErrDamaged].
func (w *damageWatch) failing() error {
	if err := w.found.Load(); err != nil {
		return *err
	}
	return nil
}

// run looks at once, and then again and again until ctx ends.
func (w *damageWatch) run(ctx context.Context) error {
	w.logged = map[string]time.Time{}
	tick := time.NewTicker(detachedInterval)
	defer tick.Stop()
	quiet := rate.Sometimes{First: 1, Interval: checkInterval}
	since := time.Now().Add(-checkInterval)
	for next := time.Now(); ; {
		begun := time.Now()
		err := w.list(ctx)
		if err == nil && w.reads && !begun.Before(next) {
			next = begun.Add(recheckInterval)
			if w.damaged, err = w.db.CheckParts(ctx, since, nil); err == nil && len(w.damaged) == 0 {
				since, next = begun, begun.Add(checkInterval)
			}
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrUnavailable) {
			quiet.Do(func() {
				w.log.Warn("ClickHouse's parts cannot be checked; hooktape doctor says what to do", "error", err)
			})
		}
		w.tell()
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

// tell logs each damage once an hour.
func (w *damageWatch) tell() {
	parts := append(w.detached[:len(w.detached):len(w.detached)], w.damaged...)
	for _, p := range parts {
		if time.Since(w.logged[p.Path]) < checkInterval {
			continue
		}
		w.logged[p.Path] = time.Now()
		w.log.Error(store.ErrDamaged.Error(), "table", p.Table, "part", p.Part, "path", p.Path, "set_aside", p.Detached, "reason", p.Reason, "do", p.Remedy())
	}
	if len(parts) == 0 {
		w.found.Store(nil)
		return
	}
	err := fmt.Errorf("%w: %s", store.ErrDamaged, parts[0])
	w.found.Store(&err)
}
