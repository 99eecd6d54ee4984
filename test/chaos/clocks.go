package main

import (
	"context"
	"errors"
	"time"

	"hooktape/test/harness"
	"hooktape/test/receiver"
)

// clocksMoved moves the clocks of all processes: hours ahead, back to the right time, and behind it. Events must arrive
// at the endpoint after each move, in order. That includes events that the endpoint refused before or after the move,
// which hooktape reads from ClickHouse again.
func clocksMoved(ctx context.Context, t *trial) error {
	if err := t.beginLive(ctx, hasty); err != nil {
		return err
	}
	for _, ahead := range []time.Duration{2 * time.Hour, 0, -10 * time.Minute, 0} {
		t.say(t.name, "%v ahead for %v", ahead, t.moved)
		t.delivery.receiver.Behave(receiver.Unavailable)
		if err := harness.Pause(ctx, t.refusing); err != nil {
			return err
		}
		for _, p := range []*harness.Process{t.engine.Process, t.hooktape.Process, t.delivery.Process} {
			if err := p.SetClock(ahead); err != nil {
				return err
			}
		}
		if err := harness.Pause(ctx, t.refusing); err != nil {
			return err
		}
		t.delivery.receiver.Behave(receiver.OK)
		if err := errors.Join(harness.Pause(ctx, t.moved), t.arrives(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// clickHouseFrozenLong freezes ClickHouse during inserts, for longer than the timeout of an insert. The events that
// these inserts stored must be delivered.
func clickHouseFrozenLong(ctx context.Context, t *trial) error {
	if err := t.beginLive(ctx, hasty); err != nil {
		return err
	}
	t.say(t.name, "for %v", t.frozenLong)
	err := errors.Join(t.engine.Freeze(), harness.Pause(ctx, t.frozenLong), t.engine.Thaw())
	return errors.Join(err, t.arrives(ctx))
}
