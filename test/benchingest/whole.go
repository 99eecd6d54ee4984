package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hooktape/test/harness"
	"hooktape/test/load"
)

// whole measures all of hooktape: capture, spool, drain and spans, with ClickHouse on the same processors.
func whole(ctx context.Context, b *bench) error {
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
	s := server{h.Process, h.Addr, engine.Process}
	for _, n := range connections[:len(connections)-1] {
		if _, _, err := b.watched(ctx, h, s, "c", n, 0, b.each); err != nil {
			return err
		}
	}
	rate, err := b.sustained(ctx, h, s)
	if err != nil {
		return err
	}
	half, err := b.load(ctx, s, "c, half", most, rate/2, b.sustain/2, nil)
	if err != nil {
		return err
	}
	b.note("(c) sustained, per second", rate, "%.0f", atLeast(8000))
	b.note("p99 of (c) at half of that, ms", float64(half.p99)/float64(time.Millisecond), "%.1f", atMost(25))
	if err := b.empty(ctx, h); err != nil {
		return err
	}
	if err := h.Stop(time.Minute); err != nil {
		return err
	}
	return b.noteSpans(ctx, dsn)
}

// noteSpans reports the share of requests whose span is in ClickHouse: a full queue drops spans, not events.
func (b *bench) noteSpans(ctx context.Context, dsn string) error {
	conn, err := harness.Connect(dsn)
	if err != nil {
		return err
	}
	defer conn.Close()
	var traced, events uint64
	err = conn.QueryRow(ctx, `SELECT (SELECT count() FROM otel_traces WHERE SpanKind = 'Server'),
		(SELECT count() FROM events)`).Scan(&traced, &events)
	b.note("(c) requests whose span is stored, %", 100*float64(traced)/float64(max(1, events)), "%.1f", nothing)
	return err
}

// few is the number of waiting events that are no backlog but batches in progress.
const few = 30_000

// probe estimates the sustainable rate: it sends as fast as it can, but not while more than few events wait.
func (b *bench) probe(ctx context.Context, h *harness.Hooktape, s server) (rate float64, err error) {
	m, err := b.load(ctx, s, "c, probe", most, 0, 2*b.each, func(ctx context.Context, l *load.Run) error {
		for ctx.Err() == nil {
			ready, err := harness.AskReady(ctx, h.Addr)
			if err == nil {
				l.Hold(ready.Drain.WaitingEvents > few)
			}
			_ = harness.Pause(ctx, 20*time.Millisecond)
		}
		return nil
	})
	return m.rate, errors.Join(err, b.empty(ctx, h))
}

// sustained finds the highest rate with a bounded backlog. It tries a closed loop, in which each connection waits for
// the answer, and then lower and lower rates.
func (b *bench) sustained(ctx context.Context, h *harness.Hooktape, s server) (float64, error) {
	const tries, step = 6, 0.93
	waitForProfile := b.profile(ctx, "c", h, b.sustain)
	m, w, err := b.watched(ctx, h, s, "c", most, 0, b.sustain)
	if err := errors.Join(err, waitForProfile()); err != nil || w.bounded() {
		return m.rate, err
	}
	rate, err := b.probe(ctx, h, s)
	if err != nil {
		return 0, err
	}
	for range tries {
		m, w, err := b.watched(ctx, h, s, "c, open loop", most, rate, b.sustain)
		if err != nil || w.bounded() && m.rate > rate*0.98 {
			return m.rate, err
		}
		rate *= step
	}
	return 0, fmt.Errorf("no rate down to %.0f/s could be sustained", rate)
}

// watched loads the server and watches the backlog. It returns when the backlog is empty.
func (b *bench) watched(ctx context.Context, h *harness.Hooktape, s server, name string, connections int, rate float64,
	d time.Duration) (m measured, w waiting, err error) {
	m, err = b.load(ctx, s, name, connections, rate, d, func(ctx context.Context, _ *load.Run) error {
		w = watch(ctx, h, d/12)
		return nil
	})
	b.say("%-12s     backlog over time: %v", name, w)
	return m, w, errors.Join(err, b.empty(ctx, h))
}

// waiting is the number of events in the spool at regular times.
type waiting []int64

// watch reads the backlog until ctx ends.
func watch(ctx context.Context, h *harness.Hooktape, every time.Duration) (w waiting) {
	for harness.Pause(ctx, every) == nil {
		if ready, err := harness.AskReady(ctx, h.Addr); err == nil {
			w = append(w, ready.Drain.WaitingEvents)
		}
	}
	return w
}

// bounded reports whether the last third is not higher than the middle one, or no backlog at all.
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
