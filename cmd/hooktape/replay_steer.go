package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"hooktape/internal/event"
)

// steerCmd has the argument and flag that the commands which steer a replay share.
type steerCmd struct {
	replayRef
	JSON bool `name:"json" help:"Print JSON."`
}

type (
	replayPauseCmd struct {
		steerCmd
		Reason string `placeholder:"TEXT" help:"Why, for everybody who wonders what the replay waits for."`
	}
	replayResumeCmd struct{ steerCmd }
	replayCancelCmd struct{ steerCmd }
	replayRateCmd   struct {
		ID string `arg:"" help:"The replay's id, a unique beginning of it, or last. Without it with --last."`
		N  string `arg:"" optional:"" help:"Requests a second; 0 is as fast as the endpoint answers."`
		last
		JSON bool `name:"json" help:"Print JSON."`
	}
)

// Run pauses a replay.
func (c replayPauseCmd) Run(e *env) error { return c.steer(e, event.ActionPause, 0, c.Reason) }

// Run resumes a replay.
func (c replayResumeCmd) Run(e *env) error { return c.steer(e, event.ActionResume, 0, "") }

// Run cancels a replay.
func (c replayCancelCmd) Run(e *env) error { return c.steer(e, event.ActionCancel, 0, "") }

// Run changes a replay's rate.
func (c replayRateCmd) Run(e *env) error {
	if c.Last && c.N == "" {
		c.ID, c.N = "", c.ID
	}
	if c.N == "" {
		return errors.New("the rate is missing: want a number of requests a second, or 0 for no limit")
	}
	perSecond, err := strconv.ParseFloat(c.N, 64)
	if err != nil || !(perSecond >= 0) { // !(…) because of NaN
		return fmt.Errorf("invalid rate %q: want a number of requests a second, or 0 for no limit", c.N)
	}
	return steerCmd{replayRef{c.ID, c.last}, c.JSON}.steer(e, event.ActionRate, perSecond, "")
}

// steer requests an action and waits until the process that delivers has applied it.
func (c steerCmd) steer(e *env, action event.Action, perSecond float64, reason string) error {
	return e.withBackend(func(b backend) error {
		before, err := c.read(e, b)
		if err != nil {
			return err
		}
		if err := b.Steer(e.ctx, before.ID, action, perSecond, reason); err != nil {
			return err
		}
		look := func() (event.Replay, error) { return b.Replay(e.ctx, before.ID) }
		r, err := untilApplied(e, look, applied(before, action))
		if err != nil {
			return err
		}
		switch {
		case c.JSON:
			return printJSON(e.stdout, r)
		case action == event.ActionRate:
			fmt.Fprintln(e.stdout, safe(optionsText(r.ReplayOptions)))
		default:
			fmt.Fprintf(e.stdout, "%s: %s\n", stateText(r), tally(r.Total, r.Counts))
		}
		return nil
	})
}

// applied returns a function that reports whether the process that delivers has written a replay since an action was
// requested. The state of the replay changes before that, with the request.
func applied(before event.Replay, action event.Action) func(event.Replay) bool {
	return func(r event.Replay) bool {
		switch {
		case action == event.ActionCancel:
			return r.State.Final() && r.Open() == 0
		case before.State == event.ReplayPaused && action != event.ActionResume,
			before.State == event.ReplayRunning && action == event.ActionResume:
			return true // nothing to apply
		}
		return r.UpdatedAt.After(before.UpdatedAt) || r.State.Final()
	}
}

// steerTimeout is how long a command waits until its request is applied.
const steerTimeout = 5 * time.Second

// untilApplied calls look until its result is as wanted. After steerTimeout it prints a warning and returns the last
// result.
func untilApplied[T any](e *env, look func() (T, error), wanted func(T) bool) (now T, err error) {
	for deadline := time.Now().Add(steerTimeout); ; {
		now, err = look()
		if err != nil || wanted(now) {
			return now, err
		}
		if time.Now().After(deadline) {
			fmt.Fprintln(e.stderr,
				"hooktape: it is noted, but no process has taken it up yet; is `hooktape serve` or `hooktape replay "+
					"serve` running?")
			return now, nil
		}
		if !pause(e.ctx, followPoll) {
			return now, e.ctx.Err()
		}
	}
}
