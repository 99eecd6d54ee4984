package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

const (
	followPoll  = 300 * time.Millisecond // between lines on a terminal
	followQuiet = 5 * time.Second        // between lines where there is none
	stalled     = 20 * time.Second       // a running replay's counts are written every two
	exitFailed  = exitCode(2)            // not all has been delivered
	exitLeft    = exitCode(130)          // Ctrl-C
)

type replayWatchCmd struct {
	replayID
	JSON bool `name:"json" help:"Print JSON at the end."`
}

// Run follows a replay.
func (c replayWatchCmd) Run(e *env) error {
	id, err := c.uuid()
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		r, err := b.Replay(e.ctx, id)
		if err != nil {
			return err
		}
		return follow(e, b, r, c.JSON)
	})
}

// errPaused ends the following of a replay that is paused.
var errPaused = errors.New("the replay is paused")

// follow shows a replay's progress until it is at its end or paused: a bar on a terminal, else a line now and then.
// Ending the command does not end the replay.
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
		fmt.Fprintf(e.stderr, "the replay goes on; follow it again by `hooktape replay watch %s`, end it by `hooktape replay cancel %s`\n", r.ID, r.ID)
		return exitLeft
	case err != nil && !errors.Is(err, errPaused):
		return err
	}
	return finish(e, r, asJSON)
}

// follower is what following shows.
type follower struct {
	*status
	silent bool // but for what goes wrong
	away   bool // the connection is lost, and that was said
	warned bool
}

func (f *follower) progress(p api.Progress) {
	r := p.Replay
	if f.away {
		f.away = false
		fmt.Fprintln(f.e.stderr, "connected again")
	}
	if age := time.Since(r.UpdatedAt); r.State == event.ReplayRunning && age > stalled && !f.warned {
		f.warned = true
		f.clear()
		fmt.Fprintf(f.e.stderr, "nothing has moved for %s; is `hooktape serve` or `hooktape replay serve` running?\n", age.Round(time.Second))
	}
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

// lost says once that nothing can be learnt now. The replay itself is not concerned.
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
		fmt.Fprintf(e.stdout, "%s: %s\n", r.State, tally(r.Total, r.Counts))
	}
	if r.State == event.ReplayPaused {
		why := ""
		if r.Reason != "" {
			why = ": " + safe(r.Reason)
		}
		fmt.Fprintf(e.stderr, "the replay is paused%s\nto go on: hooktape replay resume %s && hooktape replay watch %s\n", why, r.ID, r.ID)
	}
	if r.State != event.ReplayDone || r.Counts[event.Delivered] < r.Total {
		return exitFailed
	}
	return nil
}

// tally is a line such as "120 events: 118 delivered, 2 failed".
func tally(total uint64, counts map[event.DeliveryState]uint64) string {
	var parts []string
	for _, state := range []event.DeliveryState{event.Delivered, event.Failed, event.Cancelled, event.Retrying, event.Unknown, event.Delivering, event.Pending} {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	return plural(total, "event") + ": " + strings.Join(parts, ", ")
}

// bar is one line: how much is done, the counts, the speed and the time that is left at it.
func bar(p api.Progress) string {
	r := p.Replay
	line := progressBar(r.Counts[event.Delivered]+r.Counts[event.Failed]+r.Counts[event.Cancelled], r.Total) + "  " + tally(r.Total, r.Counts)
	if r.PerSecond > 0 {
		line += fmt.Sprintf("  %.0f/s", r.PerSecond)
	}
	if p.SecondsLeft != nil {
		line += ", " + seconds(*p.SecondsLeft) + " left"
	}
	return line
}

// seconds writes a number of seconds as people say it.
func seconds(n float64) string {
	const most = 1e9 // three decades
	return time.Duration(min(n, most) * float64(time.Second)).Round(time.Second).String()
}
