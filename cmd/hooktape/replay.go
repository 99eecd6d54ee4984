package main

import (
	"fmt"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/server"
)

type replayCmd struct {
	Create     replayCreateCmd     `cmd:"" help:"Send selected events to an endpoint, and follow it to the end."`
	List       replayListCmd       `cmd:"" help:"List replays, newest first."`
	Status     replayStatusCmd     `cmd:"" aliases:"show" help:"Show the state and counts of a replay, what it waits for, and the command that repeats it."`
	Watch      replayWatchCmd      `cmd:"" help:"Follow a replay to its end."`
	Pause      replayPauseCmd      `cmd:"" help:"Pause a replay until it is resumed."`
	Resume     replayResumeCmd     `cmd:"" help:"Resume a paused replay."`
	Cancel     replayCancelCmd     `cmd:"" help:"Cancel a replay; events not sent yet stay unsent."`
	SetRate    replayRateCmd       `cmd:"" help:"Change the largest number of requests a second of a replay."`
	Deliveries replayDeliveriesCmd `cmd:"" help:"List a replay's deliveries."`
	Retry      replayRetryCmd      `cmd:"" help:"Send what failed in a replay again, in a new replay."`
	Diff       replayDiffCmd       `cmd:"" help:"Compare a replay's answers with earlier answers to the same events."`
	Serve      replayServeCmd      `cmd:"" help:"Run the process that delivers, with the API and the console."`
}

// replayRef is the argument of commands about one replay.
type replayRef struct {
	ID string `arg:"" optional:"" help:"The replay's id, or a unique beginning of it."`
	last
}

func (r replayRef) of(e *env, b backend) (uuid.UUID, error) {
	return uuidOf(e, b, event.NamesReplay, r.ID, r.Last)
}

func (r replayRef) read(e *env, b backend) (event.Replay, error) {
	id, err := r.of(e, b)
	if err != nil {
		return event.Replay{}, err
	}
	return b.Replay(e.ctx, id)
}

type replayListCmd struct {
	State []event.ReplayState `enum:"running,paused,completed,completed_with_failures,cancelled" placeholder:"STATE" help:"In this state: running, paused, completed, completed_with_failures, cancelled."`
	Limit int                 `default:"20" help:"At most this many."`
	JSON  bool                `name:"json" help:"Print JSON."`
}

// Run lists replays.
func (c replayListCmd) Run(e *env) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return fmt.Errorf("--limit must lie between 1 and 1000")
	}
	return show(e, c.JSON, func(b backend) ([]event.Replay, error) {
		return b.Replays(e.ctx, uuid.Nil, c.Limit, c.State...)
	}, func(replays []event.Replay) error {
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
	replayRef
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the state and the counts of a replay.
func (c replayStatusCmd) Run(e *env) error {
	return show(e, c.JSON, func(b backend) (event.Replay, error) { return c.read(e, b) }, func(r event.Replay) error {
		state := stateText(r)
		if r.Reason != "" {
			state += ": " + r.Reason
		}
		parent, waits := "", ""
		if r.Parent != uuid.Nil {
			parent = "sends what failed in replay " + r.Parent.String()
		}
		if r.Waiting != nil {
			waits = r.Waiting.Text
		}
		for _, line := range [][2]string{
			{"replay", r.ID.String()},
			{"created", local(r.CreatedAt) + " by " + r.CreatedBy},
			{"endpoint", r.Endpoint},
			{"parent", parent},
			{"state", state},
			{"waiting", waits},
			{"options", optionsText(r.ReplayOptions)},
			{"events", tally(r.Total, r.Counts)},
		} {
			if line[1] != "" {
				fmt.Fprintf(e.stdout, "%-9s %s\n", line[0], safe(line[1]))
			}
		}
		if r.State == event.ReplayRunning && r.PerSecond > 0 {
			fmt.Fprintf(e.stdout, "%-9s %.0f a second\n", "speed", r.PerSecond)
		}
		fmt.Fprintf(e.stdout, "%-9s %s\n", "repeat", safe(repeatCommand(r)))
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

// stateText returns a replay's state in words.
func stateText(r event.Replay) string {
	if r.State == event.ReplayFailures {
		return "completed with " + plural(r.Counts[event.Failed], "failure")
	}
	return string(r.State)
}

// repeatCommand returns the command that creates the same replay once more.
func repeatCommand(r event.Replay) string { return "hooktape replay create --again " + r.ID.String() }

type replayDeliveriesCmd struct {
	replayRef
	State  []event.DeliveryState `enum:"pending,delivering,retrying,unknown,delivered,failed,cancelled" placeholder:"STATE" help:"In this state: pending, delivering, retrying, unknown, delivered, failed, cancelled."`
	Limit  int                   `default:"50" help:"At most this many; 0 for all."`
	Format string                `enum:",csv,ndjson" default:"" placeholder:"FORMAT" help:"Print csv or ndjson instead of a table."`
	JSON   bool                  `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (replayDeliveriesCmd) Help() string {
	return `What failed in the last replay?

  hooktape replay deliveries --last --state failed

"hooktape deliveries list --replay ID" has all filters.`
}

// Run lists a replay's deliveries.
func (c replayDeliveriesCmd) Run(e *env) error {
	return e.withBackend(func(b backend) error {
		r, err := c.read(e, b)
		if err != nil {
			return err
		}
		return listDeliveries(e, b, event.DeliverySelection{Replays: []string{r.ID.String()}, States: c.State}, c.Limit,
			c.Format, c.JSON)
	})
}

type replayRetryCmd struct {
	replayRef
	retryFlags
}

// Help implements kong.HelpProvider.
func (replayRetryCmd) Help() string {
	return `The new replay names this one as its parent and has the same options. Events that were sent again since are
left out.

  hooktape replay retry --last`
}

// Run retries what failed in a replay.
func (c replayRetryCmd) Run(e *env) error {
	return e.withBackend(func(b backend) error {
		r, err := c.read(e, b)
		if err != nil {
			return err
		}
		return c.retry(e, b, event.DeliverySelection{Replays: []string{r.ID.String()},
			States: []event.DeliveryState{event.Failed, event.Cancelled}})
	})
}

type replayServeCmd struct{}

// Run runs the part that delivers.
func (replayServeCmd) Run(e *env) error { return e.serve(server.Parts{Delivery: true}) }
