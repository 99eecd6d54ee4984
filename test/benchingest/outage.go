package main

import (
	"context"
	"fmt"
	"time"

	"hooktape/test/harness"
	"hooktape/test/load"
)

// outage measures hooktape's memory after ClickHouse is killed at full load.
func outage(ctx context.Context, b *bench) error {
	engine, dsn, err := b.harness.NewDatabase(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	h, err := b.harness.NewHooktape(ctx, dsn, "")
	if err != nil {
		return err
	}
	defer h.Kill()
	var largest int64
	m, err := b.load(ctx, server{h.Process, h.Addr, nil}, "rss", most, 0, b.away,
		func(ctx context.Context, _ *load.Run) error {
			engine.Kill()
			for harness.Pause(ctx, 200*time.Millisecond) == nil {
				now, err := h.RSS()
				if err != nil {
					return err
				}
				largest = max(largest, now)
			}
			return nil
		})
	if err != nil {
		return err
	}
	if m.failed > 0 {
		return fmt.Errorf("%d requests failed while ClickHouse was away", m.failed)
	}
	b.note("RSS while ClickHouse is away, MiB", float64(largest)/(1<<20), "%.0f", atMost(300))
	return nil
}
