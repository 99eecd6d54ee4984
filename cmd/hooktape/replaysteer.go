package main

import (
	"errors"
	"fmt"

	"hooktape/event"
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
func (c replayPauseCmd) Run(e *env) error {
	return c.steer(e, event.ActionPause, 0, func(r event.Replay) bool { return r.State == event.ReplayPaused || r.State.Final() })
}

// Run lets a replay go on.
func (c replayResumeCmd) Run(e *env) error {
	return c.steer(e, event.ActionResume, 0, func(r event.Replay) bool { return r.State != event.ReplayPaused })
}

// Run cancels a replay.
func (c replayCancelCmd) Run(e *env) error {
	return c.steer(e, event.ActionCancel, 0, func(r event.Replay) bool { return r.State.Final() })
}

// Run changes a replay's rate.
func (c replayRateCmd) Run(e *env) error {
	if c.PerSecond < 0 {
		return errors.New("the rate must not be negative")
	}
	return steerCmd{c.replayID, c.JSON}.steer(e, event.ActionRate, c.PerSecond, func(r event.Replay) bool { return r.Rate == c.PerSecond || r.State.Final() })
}

// steer asks for an action and waits until the process that delivers has taken it up.
func (c steerCmd) steer(e *env, action event.Action, perSecond float64, wanted func(event.Replay) bool) error {
	id, err := c.uuid()
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		if err := b.Steer(e.ctx, id, action, perSecond); err != nil {
			return err
		}
		r, taken, err := await(e.ctx, b, id, wanted)
		if err != nil {
			return err
		}
		if !taken {
			fmt.Fprintf(e.stderr, "hooktape: it is noted, but no process has taken it up yet; is `hooktape serve` or `hooktape replay serve` running?\n")
		}
		if c.JSON {
			return printJSON(e.stdout, r)
		}
		if action == event.ActionRate {
			fmt.Fprintln(e.stdout, safe(optionsText(r.ReplayOptions)))
			return nil
		}
		fmt.Fprintf(e.stdout, "%s: %s\n", r.State, tally(r.Total, r.Counts))
		return nil
	})
}
