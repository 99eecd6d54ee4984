package main

import (
	"fmt"
	"slices"
	"strings"

	"hooktape/internal/event"
	"hooktape/web/api"
)

type endpointsCmd struct {
	List   endpointsListCmd   `cmd:"" default:"withargs" help:"List the endpoints: state, backlog, last error (the default)."`
	Pause  endpointsPauseCmd  `cmd:"" help:"Pause an endpoint: its deliveries wait until it is resumed."`
	Resume endpointsResumeCmd `cmd:"" help:"Resume an endpoint: close its circuit breaker, and retry all waiting deliveries now."`
}

type endpointsListCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run lists the endpoints.
func (c endpointsListCmd) Run(e *env) error {
	return show(e, c.JSON, func(b backend) ([]api.Endpoint, error) { return b.Endpoints(e.ctx) }, e.printEndpoints)
}

func (e *env) printEndpoints(list []api.Endpoint) error {
	if len(list) == 0 {
		fmt.Fprintln(e.stderr, "no endpoint is configured; hooktape.example.yaml shows how")
		return nil
	}
	t := newTable(e.stdout, "NAME", "STATE", "LIVE", "OPEN", "OLDEST", "FAILED", "IN REPLAYS", "FORWARDED FROM", "URL",
		"WHAT IT WAITS FOR, OR ITS LAST FAILURE")
	for _, p := range list {
		live, reasons := "-", []string{p.Reason}
		var sources []string
		if p.Subscribed {
			live = "yes"
		}
		if p.Waiting != nil {
			reasons = []string{p.Waiting.Text}
		}
		for _, f := range p.Forwards {
			sources, reasons = append(sources, f.Source), append(reasons, f.Text())
		}
		reasons = slices.DeleteFunc(reasons, func(text string) bool { return text == "" })
		t.row(p.Name, p.State, live, fmt.Sprint(event.Open(p.Backlog)), local(p.OldestOpen),
			fmt.Sprint(p.Backlog[event.Failed]), fmt.Sprint(event.Open(p.Replays)), orDash(strings.Join(sources, ", ")),
			p.URL,
			orDash(strings.Join(reasons, "; ")))
	}
	return t.end()
}

type (
	endpointsPauseCmd struct {
		Name   string `arg:"" help:"The endpoint's name."`
		Reason string `placeholder:"TEXT" help:"Why, for everybody who wonders what its deliveries wait for."`
		JSON   bool   `name:"json" help:"Print JSON."`
	}
	endpointsResumeCmd endpointsPauseCmd
)

// Run pauses an endpoint.
func (c endpointsPauseCmd) Run(e *env) error {
	return c.steer(e, event.ActionPause, func(state string) bool { return state == "paused" })
}

// Run resumes an endpoint.
func (c endpointsResumeCmd) Run(e *env) error {
	resumed := func(state string) bool { return state != "paused" && state != "failing" }
	return endpointsPauseCmd(c).steer(e, event.ActionResume, resumed)
}

// steer requests an action and waits until the process that delivers has applied it.
func (c endpointsPauseCmd) steer(e *env, action event.Action, wanted func(state string) bool) error {
	return e.withBackend(func(b backend) error {
		if err := b.SteerEndpoint(e.ctx, c.Name, action, c.Reason); err != nil {
			return err
		}
		look := func() (now api.Endpoint, err error) {
			list, err := b.Endpoints(e.ctx)
			if i := slices.IndexFunc(list, func(s api.Endpoint) bool { return s.Name == c.Name }); i >= 0 {
				now = list[i]
			}
			return now, err
		}
		applied := func(now api.Endpoint) bool { return now.State != "unknown" && wanted(now.State) }
		now, err := untilApplied(e, look, applied)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.stdout, now)
		}
		fmt.Fprintf(e.stdout, "%s is %s\n", safe(c.Name), now.State)
		return nil
	})
}
