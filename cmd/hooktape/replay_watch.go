package main

import (
	"errors"
	"fmt"

	"hooktape/internal/event"
	"hooktape/web/api"
)

type replayWatchCmd struct {
	replayRef
	JSON bool `name:"json" help:"Print JSON at the end."`
}

// Run follows a replay.
func (c replayWatchCmd) Run(e *env) error {
	return e.withBackend(func(b backend) error {
		r, err := c.read(e, b)
		if err != nil {
			return err
		}
		return follow(e, b, r, c.JSON)
	})
}

// errPaused ends follow when the replay is paused.
var errPaused = errors.New("the replay is paused")

// follow shows a replay's progress until the replay ends or is paused. Ending the command does not end the replay.
func follow(e *env, b backend, r event.Replay, asJSON bool) error {
	f := follower{status: newStatus(e), silent: asJSON}
	err := b.Watch(e.ctx, r.ID, func(p api.Progress, lost error) error {
		if lost != nil {
			f.lost(lost)
			return nil
		}
		r = p.Replay
		f.progress(p)
		if r.State == event.ReplayPaused {
			return errPaused
		}
		return nil
	})
	f.clear()
	switch {
	case e.ctx.Err() != nil:
		fmt.Fprintf(e.stderr,
			"the replay goes on; follow it again by `hooktape replay watch %[1]s`, "+
				"end it by `hooktape replay cancel %[1]s`\n", r.ID)
		return exitLeft
	case err != nil && !errors.Is(err, errPaused):
		return err
	}
	return finish(e, r, asJSON)
}

// follower prints the progress of a replay.
type follower struct {
	*status
	silent  bool              // prints only trouble
	away    bool              // the connection is lost, which was printed
	waiting event.WaitingCode // was printed
}

func (f *follower) progress(p api.Progress) {
	r := p.Replay
	if f.away {
		f.away = false
		fmt.Fprintln(f.e.stderr, "connected again")
	}
	f.waits(r.Waiting)
	if f.silent || r.State.Final() {
		return
	}
	f.show(func() string {
		if f.terminal {
			return bar(p)
		}
		return tally(r.Total, r.Counts)
	})
}

// waits prints why the replay waits, when that has changed. A rate or pace that was asked for is no news, nor is a
// process that has not begun yet.
func (f *follower) waits(w *event.Waiting) {
	switch {
	case w == nil:
		f.waiting = ""
		return
	case w.Code == f.waiting, w.Code == event.WaitsForRate, w.Code == event.WaitsForPace, w.Code == event.WaitsReplay:
		return
	}
	f.waiting = w.Code
	f.clear()
	fmt.Fprintf(f.e.stderr, "waiting: %s\n", safe(w.Text))
}

// lost prints once that the connection is lost, which does not affect the replay.
func (f *follower) lost(err error) {
	if !f.away {
		f.away = true
		f.clear()
		fmt.Fprintf(f.e.stderr, "%s; the replay is not concerned, trying again\n", safe(err.Error()))
	}
}

func finish(e *env, r event.Replay, asJSON bool) error {
	if asJSON {
		if err := printJSON(e.stdout, r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(e.stdout, "%s: %s\n", stateText(r), tally(r.Total, r.Counts))
	}
	if r.State == event.ReplayPaused {
		why := ""
		if r.Reason != "" {
			why = ": " + safe(r.Reason)
		}
		fmt.Fprintf(e.stderr,
			"the replay is paused%s\nto go on: hooktape replay resume %s && hooktape replay watch %s\n", why, r.ID,
			r.ID)
	}
	if r.State != event.ReplayCompleted {
		return exitFailed
	}
	return nil
}

// bar returns one line with the progress, the counts, the speed and the time left at that speed.
func bar(p api.Progress) string {
	r := p.Replay
	line := progressBar(r.Counts[event.Delivered]+r.Counts[event.Failed]+r.Counts[event.Cancelled], r.Total) + "  " +
		tally(r.Total, r.Counts)
	if r.PerSecond > 0 {
		line += fmt.Sprintf("  %.0f/s", r.PerSecond)
	}
	if p.SecondsLeft != nil {
		line += ", " + seconds(*p.SecondsLeft) + " left"
	}
	return line
}
