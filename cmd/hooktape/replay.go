package main

import (
	"fmt"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/server"
)

type replayCmd struct {
	Create  replayCreateCmd `cmd:"" help:"Send selected events to an endpoint, and follow it to the end."`
	List    replayListCmd   `cmd:"" help:"List replays, newest first."`
	Status  replayStatusCmd `cmd:"" help:"Show the state and counts of a replay."`
	Watch   replayWatchCmd  `cmd:"" help:"Follow a replay to its end."`
	Pause   replayPauseCmd  `cmd:"" help:"Pause a replay until it is resumed."`
	Resume  replayResumeCmd `cmd:"" help:"Resume a paused replay."`
	Cancel  replayCancelCmd `cmd:"" help:"Cancel a replay; events not sent yet stay unsent."`
	SetRate replayRateCmd   `cmd:"" help:"Change the largest number of requests a second of a replay."`
	Diff    replayDiffCmd   `cmd:"" help:"Compare a replay's answers with earlier answers to the same events."`
	Serve   replayServeCmd  `cmd:"" help:"Run the process that delivers, with the API and the console."`
}

// replayID is the argument of commands about one replay.
type replayID struct {
	ID string `arg:"" help:"The replay's id."`
}

func (a replayID) uuid() (uuid.UUID, error) {
	id, err := uuid.Parse(a.ID)
	if err != nil {
		return id, fmt.Errorf("%q is no replay id; `hooktape replay list` shows ids", a.ID)
	}
	return id, nil
}

type replayListCmd struct {
	State []event.ReplayState `enum:"running,paused,done,cancelled" placeholder:"STATE" help:"In this state: running, paused, done, cancelled."`
	Limit int                 `default:"20" help:"At most this many."`
	JSON  bool                `name:"json" help:"Print JSON."`
}

// Run lists replays.
func (c replayListCmd) Run(e *env) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return fmt.Errorf("--limit must lie between 1 and 1000")
	}
	return e.withBackend(func(b backend) error {
		replays, err := b.Replays(e.ctx, uuid.Nil, c.Limit, c.State...)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.stdout, append([]event.Replay{}, replays...))
		}
		if len(replays) == 0 {
			fmt.Fprintln(e.stderr, "no replays match; `hooktape replay create` makes one")
			return nil
		}
		t := newTable(e.stdout, "CREATED", "BY", "STATE", "EVENTS", "DELIVERED", "FAILED", "ENDPOINT", "ID")
		for _, r := range replays {
			t.row(local(r.CreatedAt), r.CreatedBy, string(r.State), fmt.Sprint(r.Total),
				fmt.Sprint(r.Counts[event.Delivered]),
				fmt.Sprint(r.Counts[event.Failed]), r.Endpoint, r.ID.String())
		}
		return t.end()
	})
}

type replayStatusCmd struct {
	replayID
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the state and the counts of a replay.
func (c replayStatusCmd) Run(e *env) error {
	id, err := c.uuid()
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		r, err := b.Replay(e.ctx, id)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.stdout, r)
		}
		state := string(r.State)
		if r.Reason != "" {
			state += ": " + r.Reason
		}
		for _, line := range [][2]string{
			{"replay", r.ID.String()},
			{"created", local(r.CreatedAt) + " by " + r.CreatedBy},
			{"endpoint", r.Endpoint},
			{"state", state},
			{"options", optionsText(r.ReplayOptions)},
			{"events", tally(r.Total, r.Counts)},
		} {
			fmt.Fprintf(e.stdout, "%-9s %s\n", line[0], safe(line[1]))
		}
		if r.State == event.ReplayRunning && r.PerSecond > 0 {
			fmt.Fprintf(e.stdout, "%-9s %.0f a second\n", "speed", r.PerSecond)
		}
		return nil
	})
}

// optionsText returns a line that describes a replay's options.
func optionsText(o event.ReplayOptions) string {
	rate := "as fast as the endpoint answers"
	if o.Rate > 0 {
		rate = fmt.Sprintf("at most %g a second", o.Rate)
	}
	text := fmt.Sprintf("%s, %d at once, order %s, mode %s, retry %s", rate, o.Concurrency, o.Order, o.Mode, o.Retry)
	if o.MaxAttempts > 0 {
		text += fmt.Sprintf(" (at most %d attempts)", o.MaxAttempts)
	}
	if o.Pace > 0 {
		text += fmt.Sprintf(", pace original×%g", o.Pace)
	}
	if o.StopAfterFailures > 0 {
		text += fmt.Sprintf(", pauses after %s in a row", plural(uint64(o.StopAfterFailures), "failure"))
	}
	return text
}

type replayServeCmd struct{}

// Run runs the part that delivers.
func (replayServeCmd) Run(e *env) error { return e.serve(server.Parts{Delivery: true}) }
