package main

import (
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/google/uuid"

	"hooktape/event"
	"hooktape/replay"
	"hooktape/store"
)

type replayCmd struct {
	Create replayCreateCmd `cmd:"" help:"Send selected events to an endpoint, and follow it to the end."`
	List   replayListCmd   `cmd:"" help:"List replays, newest first."`
	Status replayStatusCmd `cmd:"" help:"Tell how far a replay is."`
	Serve  replayServeCmd  `cmd:"" help:"Run the process that sends."`
}

type replayCreateCmd struct {
	selectionFlags
	To          []string `required:"" placeholder:"URL" help:"Where to send. A value that is a time ends the range, as --until does."`
	DryRun      bool     `help:"Say what would be sent, and send nothing."`
	Rate        float64  `placeholder:"N" help:"At most N requests a second (default: as fast as the endpoint answers)."`
	Concurrency uint16   `default:"4" placeholder:"N" help:"At most N requests at once; with 1 the events go out strictly in order."`
	MaxAttempts uint16   `default:"5" placeholder:"N" help:"Try each event at most N times."`
	JSON        bool     `name:"json" help:"Print JSON."`
}

// Run plans or makes a replay.
func (c *replayCreateCmd) Run(e *env) error {
	target, err := c.target()
	if err != nil {
		return err
	}
	if c.Rate < 0 || c.MaxAttempts < 1 || c.Concurrency < 1 {
		return errors.New("--rate must not be negative, --concurrency and --max-attempts must be at least 1")
	}
	now := time.Now()
	sel, err := c.selection(now)
	if err != nil {
		return err
	}
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	plan, err := db.PlanReplay(e.ctx, store.PlanRequest{Selection: sel, Endpoint: target})
	if err != nil {
		return err
	}
	if c.DryRun || plan.Count == 0 {
		return c.printPlan(e, target, plan)
	}
	r := event.Replay{ID: uuid.Must(uuid.NewV7()), CreatedAt: now, UpdatedAt: now, CreatedBy: whoami(), State: event.ReplayPlanned,
		Endpoint: target, URL: target, Selection: sel, ReplayOptions: event.ReplayOptions{Rate: c.Rate, Concurrency: c.Concurrency, MaxAttempts: c.MaxAttempts}}
	if err := db.SaveReplay(e.ctx, r); err != nil {
		return err
	}
	if r.Total, err = db.FreezeReplay(e.ctx, r); err != nil {
		return err
	}
	r.State, r.UpdatedAt = event.ReplayRunning, time.Now()
	if err := db.SaveReplay(e.ctx, r); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(e.stdout, "replay %s: %s to %s\n", r.ID, plural(r.Total, "event"), safe(r.URL))
	}
	return follow(e, db, r, c.JSON)
}

// target takes --to apart: "--from … --to …" is how people say a range, "--to URL" how they say where.
func (c *replayCreateCmd) target() (target string, err error) {
	for _, to := range c.To {
		switch _, isTime := readTime(to); {
		case isTime && c.Until == "":
			c.Until = to
		case target == "" && !isTime:
			target = to
		default:
			return "", fmt.Errorf("--to %s is one too many", to)
		}
	}
	return target, replay.CheckURL(target)
}

func whoami() string {
	if u, err := user.Current(); err == nil {
		return "cli:" + u.Username
	}
	return "cli"
}

func (c replayCreateCmd) printPlan(e *env, target string, plan store.Plan) error {
	if c.JSON {
		return printJSON(e.stdout, plan)
	}
	if plan.Count == 0 {
		fmt.Fprintln(e.stdout, "no accepted events match; there is nothing to replay")
		return nil
	}
	fmt.Fprintf(e.stdout, "%s would go to %s, received from %s to %s\n\n", plural(plan.Count, "event"), safe(target), local(plan.First), local(plan.Last))
	t := newTable(e.stdout, "SOURCE", "STEP", "EVENTS")
	for _, p := range plan.Parts {
		t.row(p.Source, orDash(p.Step), fmt.Sprint(p.Count))
	}
	if err := t.end(); err != nil {
		return err
	}
	if uint64(len(plan.Heads)) < plan.Count {
		fmt.Fprintf(e.stdout, "\nThe first %d:\n", len(plan.Heads))
	} else {
		fmt.Fprintln(e.stdout)
	}
	return printEvents(e.stdout, plan.Heads)
}

type replayListCmd struct {
	Limit int  `default:"20" help:"At most this many."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Run lists replays.
func (c replayListCmd) Run(e *env) error {
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	replays, err := db.Replays(e.ctx, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, append([]event.Replay{}, replays...))
	}
	if len(replays) == 0 {
		fmt.Fprintln(e.stdout, "no replays yet")
		return nil
	}
	t := newTable(e.stdout, "CREATED", "BY", "STATE", "EVENTS", "ENDPOINT", "ID")
	for _, r := range replays {
		t.row(local(r.CreatedAt), r.CreatedBy, string(r.State), fmt.Sprint(r.Total), r.Endpoint, r.ID.String())
	}
	return t.end()
}

type replayStatusCmd struct {
	ID   string `arg:"" help:"The replay's id."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run tells how far a replay is.
func (c replayStatusCmd) Run(e *env) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return fmt.Errorf("%q is no replay id; `hooktape replay list` shows ids", c.ID)
	}
	db, _, err := e.openStore()
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := db.Replay(e.ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no replay %s", id)
	}
	if err != nil {
		return err
	}
	counts, err := db.CountDeliveries(e.ctx, id)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(e.stdout, replayJSON{r, counts})
	}
	fmt.Fprintf(e.stdout, "replay    %s\ncreated   %s by %s\nendpoint  %s\nstate     %s\n", r.ID, local(r.CreatedAt), safe(r.CreatedBy), safe(r.Endpoint), r.State)
	fmt.Fprintf(e.stdout, "events    %s\n", tally(r.Total, counts))
	return nil
}

// replayJSON is a replay with its counts.
type replayJSON struct {
	event.Replay
	Deliveries map[event.DeliveryState]uint64 `json:"deliveries"`
}
