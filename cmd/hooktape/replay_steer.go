package main

import (
	"errors"
	"fmt"
	"time"

	"hooktape/internal/event"
)

// steerCmd is what the commands that steer a replay have in common.
type steerCmd struct {
	replayID
	JSON bool `name:"json" help:"Print JSON."`
}

type (
	replayPauseCmd  struct{ steerCmd }
	replayResumeCmd struct{ steerCmd }
	replayCancelCmd struct{ steerCmd }
	replayRateCmd   struct {
		replayID
		PerSecond float64 `arg:"" name:"n" help:"Requests a second; 0 is as fast as the endpoint answers."`
		JSON      bool    `name:"json" help:"Print JSON."`
	}
)

// Run pauses a replay.
func (c replayPauseCmd) Run(e *env) error { return c.steer(e, event.ActionPause, 0) }

// Run lets a replay go on.
func (c replayResumeCmd) Run(e *env) error { return c.steer(e, event.ActionResume, 0) }

// Run cancels a replay.
func (c replayCancelCmd) Run(e *env) error { return c.steer(e, event.ActionCancel, 0) }

// Run changes a replay's rate.
func (c replayRateCmd) Run(e *env) error {
	if c.PerSecond < 0 {
		return errors.New("the rate must not be negative")
	}
	return steerCmd{c.replayID, c.JSON}.steer(e, event.ActionRate, c.PerSecond)
}

// steer asks for an action and waits until the process that delivers has taken it up.
func (c steerCmd) steer(e *env, action event.Action, perSecond float64) error {
	id, err := c.uuid()
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		before, err := b.Replay(e.ctx, id)
		if err != nil {
			return err
		}
		if err := b.Steer(e.ctx, id, action, perSecond); err != nil {
			return err
		}
		look := func() (event.Replay, error) { return b.Replay(e.ctx, id) }
		r, err := untilTaken(e, look, takenUp(before, action))
		if err != nil {
			return err
		}
		switch {
		case c.JSON:
			return printJSON(e.stdout, r)
		case action == event.ActionRate:
			fmt.Fprintln(e.stdout, safe(optionsText(r.ReplayOptions)))
		default:
			fmt.Fprintf(e.stdout, "%s: %s\n", r.State, tally(r.Total, r.Counts))
		}
		return nil
	})
}

// takenUp tells whether a process that delivers has written a replay since it was asked for an action. The action itself
// shows at once.
func takenUp(before event.Replay, action event.Action) func(event.Replay) bool {
	return func(r event.Replay) bool {
		switch {
		case action == event.ActionCancel:
			return r.State.Final() && r.Open() == 0
		case before.State == event.ReplayPaused && action != event.ActionResume, before.State == event.ReplayRunning && action == event.ActionResume:
			return true // there is nothing to take up
		}
		return r.UpdatedAt.After(before.UpdatedAt) || r.State.Final()
	}
}

// watchPatience is how long a command waits for what it has asked for to be taken up.
const watchPatience = 5 * time.Second

// untilTaken looks until what it sees is as wanted. When patience ends it says so and returns what it has seen last.
func untilTaken[T any](e *env, look func() (T, error), wanted func(T) bool) (now T, err error) {
	for deadline := time.Now().Add(watchPatience); ; {
		now, err = look()
		if err != nil || wanted(now) {
			return now, err
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(e.stderr, "hooktape: it is noted, but no process has taken it up yet; is `hooktape serve` or `hooktape replay serve` running?")
			return now, nil
		}
		if !pause(e.ctx, followPoll) {
			return now, e.ctx.Err()
		}
	}
}
