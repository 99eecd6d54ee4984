package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hooktape/test/harness"
)

// The faults of whole processes.

func hooktapeKilled(ctx context.Context, t *trial) error {
	if err := t.begin(ctx, t.dsn(), hurry); err != nil {
		return err
	}
	return t.repeat(ctx, func() error {
		t.hooktape.Kill()
		return t.hooktape.Start(ctx)
	})
}

func clickHouseKilled(ctx context.Context, t *trial) error {
	if err := t.begin(ctx, t.dsn(), hurry); err != nil {
		return err
	}
	return t.repeat(ctx, func() error {
		t.engine.Kill()
		return t.engine.Start(ctx)
	})
}

func bothKilled(ctx context.Context, t *trial) error {
	if err := t.begin(ctx, t.dsn(), hurry); err != nil {
		return err
	}
	return t.repeat(ctx, func() error {
		t.hooktape.Kill()
		t.engine.Kill()
		return errors.Join(t.hooktape.Start(ctx), t.engine.Start(ctx))
	})
}

// repeat calls strike at random moments, once per round. After each round the load must continue.
func (t *trial) repeat(ctx context.Context, strike func() error) error {
	for i := range t.suite.rounds {
		if err := harness.Pause(ctx, t.moment()); err != nil {
			return err
		}
		if err := strike(); err != nil {
			return err
		}
		if err := t.goesOn(ctx); err != nil {
			return err
		}
		t.say(t.name, "%d of %d, %d acknowledged so far", i+1, t.suite.rounds, t.load.Counts().Acked)
	}
	return harness.Pause(ctx, t.moment())
}

// clickHouseAway kills ClickHouse for a while. No request may be refused because of it.
func clickHouseAway(ctx context.Context, t *trial) error {
	if err := t.begin(ctx, t.dsn(), ""); err != nil {
		return err
	}
	t.engine.Kill()
	t.say(t.name, "for %v", t.away)
	if err := harness.Pause(ctx, t.away); err != nil {
		return err
	}
	if ready, err := harness.AskReady(ctx, t.addr); err != nil || !ready.Ready {
		return fmt.Errorf("not ready while ClickHouse is away: %+v, %w", ready, err)
	}
	if refused := t.load.Counts().Refused; refused > 0 {
		return fmt.Errorf("%d requests were refused while ClickHouse was away", refused)
	}
	if err := t.engine.Start(ctx); err != nil {
		return err
	}
	return t.goesOn(ctx)
}

// clickHouseFrozen makes inserts time out that ClickHouse completes later. Hooktape repeats them in the meantime, and
// their events must not be stored twice.
func clickHouseFrozen(ctx context.Context, t *trial) error {
	// An insert that takes longer than the timeout is repeated without end, so the timeout is as long as it may be.
	timeout := max(time.Second, t.frozen/2)
	if err := t.begin(ctx, t.dsn()+"?read_timeout="+timeout.String(), hurry); err != nil {
		return err
	}
	return t.repeat(ctx, func() error {
		if err := t.engine.Freeze(); err != nil {
			return err
		}
		err := harness.Pause(ctx, t.frozen)
		return errors.Join(err, t.engine.Thaw())
	})
}

// spoolFull stops ClickHouse until the spool reaches its limit. Hooktape then refuses requests and is not ready, until
// ClickHouse is back.
func spoolFull(ctx context.Context, t *trial) error {
	if err := t.begin(ctx, t.dsn(), "spool:\n  max_bytes: 4MiB\n"); err != nil {
		return err
	}
	t.engine.Kill()
	err := t.until(ctx, "the spool to be full", func() bool {
		ready, err := harness.AskReady(ctx, t.addr)
		return err == nil && ready.Status == 503 && t.load.Counts().Refused > 0
	})
	if err != nil {
		return err
	}
	t.say(t.name, "full after %d acknowledged", t.load.Counts().Acked)
	if err := t.engine.Start(ctx); err != nil {
		return err
	}
	err = t.until(ctx, "readiness", func() bool {
		ready, err := harness.AskReady(ctx, t.addr)
		return err == nil && ready.Ready
	})
	return errors.Join(err, t.goesOn(ctx))
}
