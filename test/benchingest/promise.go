package main

import (
	"context"
	"errors"

	"hooktape/test/harness"
)

// promise measures hooktape without ClickHouse: capture, spans, spool and fsync, and nothing else. Each run has a spool of
// its own, for nothing empties it.
func promise(ctx context.Context, b *bench) error {
	for _, n := range connections {
		if err := b.promise(ctx, n); err != nil {
			return err
		}
	}
	bare, kept := b.rateOf("a", most), b.rateOf("b", most)
	if bare > 0 {
		b.note("(b)/(a) at 256", kept/bare, "%.2f", atLeast(0.6))
	}
	return nil
}

func (b *bench) promise(ctx context.Context, connections int) error {
	h, err := b.harness.NewHooktape(ctx, harness.NoClickHouse, "")
	if err != nil {
		return err
	}
	defer h.Kill()
	waitForProfile := func() error { return nil }
	if connections == most {
		waitForProfile = b.profile(ctx, "b", h, b.each)
	}
	_, err = b.load(ctx, server{h.Process, h.Addr, nil}, "b", connections, 0, b.each, nil)
	return errors.Join(err, waitForProfile())
}
