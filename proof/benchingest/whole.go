package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hooktape/proof/load"
	"hooktape/proof/rig"
)

// whole measures hooktape with all that it does: capture, spool, drain and spans into a ClickHouse on the same processors.
func whole(ctx context.Context, b *bench) error {
	engine, err := b.rig.NewEngine(ctx)
	if err != nil {
		return err
	}
	defer engine.Kill()
	dsn := engine.DSN("hooktape")
	if err := migrate(ctx, dsn); err != nil {
		return err
	}
	h, err := b.rig.NewHooktape(ctx, dsn, "")
	if err != nil {
		return err
	}
	defer h.Kill()
	s := server{h.Process, h.Addr, engine.Process}
	for _, n := range connections {
		if _, err := b.load(ctx, s, "c", n, 0, b.each, nil); err != nil {
			return err
		}
		if err := b.empty(ctx, h); err != nil {
			return err
		}
	}
	rate, err := b.probe(ctx, h, s)
	if err != nil {
		return err
	}
	if rate, err = b.sustained(ctx, h, s, rate); err != nil {
		return err
	}
	half, err := b.load(ctx, s, "c, half", most, rate/2, b.sustain/2, nil)
	if err != nil {
		return err
	}
	b.note("(c) sustained, per second", rate, "%.0f", atLeast(8000))
	b.note("p99 of (c) at half of that, ms", float64(half.p99)/float64(time.Millisecond), "%.1f", atMost(25))
	return b.empty(ctx, h)
}

// few is how many waiting events are no backlog: some batches under way.
const few = 30_000

// probe finds about how much can be sustained: it sends as fast as it can, but not while more than a few events wait.
func (b *bench) probe(ctx context.Context, h *rig.Hooktape, s server) (rate float64, err error) {
	m, err := b.load(ctx, s, "c, probe", most, 0, 2*b.each, func(ctx context.Context, l *load.Run) error {
		for ctx.Err() == nil {
			ready, err := rig.AskReady(ctx, h.Addr)
			if err == nil {
				l.Hold(ready.Drain.WaitingEvents > few)
			}
			_ = rig.Pause(ctx, 20*time.Millisecond)
		}
		return nil
	})
	return m.rate, errors.Join(err, b.empty(ctx, h))
}

// sustained finds the highest rate of an open loop, from this one down, at which the backlog stays bounded.
func (b *bench) sustained(ctx context.Context, h *rig.Hooktape, s server, rate float64) (float64, error) {
	const tries, step = 6, 0.93
	for range tries {
		rate *= step
		waitForProfile := b.profile(ctx, "c", h, b.sustain)
		var w waiting
		m, err := b.load(ctx, s, "c, sustained", most, rate, b.sustain, func(ctx context.Context, _ *load.Run) error {
			w = watch(ctx, h, b.sustain/12)
			return nil
		})
		if err := errors.Join(err, waitForProfile(), b.empty(ctx, h)); err != nil {
			return 0, err
		}
		b.say("backlog at %.0f/s over time: %v", rate, w)
		if w.bounded() && m.rate > rate*0.98 {
			return m.rate, nil
		}
	}
	return 0, fmt.Errorf("no rate down to %.0f/s could be sustained", rate)
}

// waiting is how many events waited in the spool, at even times.
type waiting []int64

// watch asks until the context ends.
func watch(ctx context.Context, h *rig.Hooktape, every time.Duration) (w waiting) {
	for rig.Pause(ctx, every) == nil {
		if ready, err := rig.AskReady(ctx, h.Addr); err == nil {
			w = append(w, ready.Drain.WaitingEvents)
		}
	}
	return w
}

// bounded tells whether the last third is not higher than the middle one, but for what is no backlog.
func (w waiting) bounded() bool {
	third := len(w) / 3
	if third == 0 {
		return false
	}
	return mean(w[2*third:]) <= max(few, mean(w[third:2*third])*11/10)
}

func mean(w waiting) (sum int64) {
	for _, n := range w {
		sum += n
	}
	return sum / int64(len(w))
}

func (w waiting) String() string {
	var text []string
	for _, n := range w {
		text = append(text, fmt.Sprintf("%.1fk", float64(n)/1000))
	}
	return strings.Join(text, " ")
}
