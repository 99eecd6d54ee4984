package main

import (
	"context"
	"time"
)

// drained measures how fast a backlog goes into ClickHouse without other load, how fast a program is that only inserts the
// same rows, and what an event takes on ClickHouse's disk.
func drained(ctx context.Context, b *bench) error {
	h, err := b.fill(ctx, b.backlog)
	if err != nil {
		return err
	}
	engine, dsn, err := b.harness.NewDatabase(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	took, err := b.drain(ctx, h, dsn)
	defer h.Kill()
	if err != nil {
		return err
	}
	rate := float64(b.backlog) / took.Seconds()
	b.say("d: drained %d events in %v: %.0f/s", b.backlog, took.Round(time.Millisecond), rate)
	cpu, err := h.CPU()
	if err != nil {
		return err
	}
	peak, err := h.PeakRSS()
	if err != nil {
		return err
	}
	h.Kill()
	if err := quiet(ctx, dsn); err != nil {
		return err
	}
	plain, err := plainInsert(ctx, dsn, engine.DSN("plain"), b.backlog)
	if err != nil {
		return err
	}
	b.say("d: plain insert of the same rows: %.0f/s", plain)
	if err := b.weigh(ctx, dsn); err != nil {
		return err
	}
	b.note("(d) drained, per second", rate, "%.0f", atLeast(20_000))
	b.note("(d) hooktape's CPU s for 1,000 events", cpu.Seconds()*1000/float64(b.backlog), "%.3f", nothing)
	b.note("(d) hooktape's peak RSS, MiB", float64(peak)/(1<<20), "%.0f", nothing)
	b.note("(d) plain insert, per second", plain, "%.0f", nothing)
	b.note("(d)/plain", rate/plain, "%.2f", atLeast(0.7))
	return nil
}
