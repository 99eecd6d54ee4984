package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"hooktape/event"
	"hooktape/replay"
	"hooktape/replay/api"
)

// printPlan tells what a replay would do.
func printPlan(w io.Writer, plan api.Plan, want replay.Request) error {
	if plan.Count == 0 {
		fmt.Fprintln(w, "no accepted events match that would be sent; there is nothing to replay")
		leftOut(w, plan, want.Mode)
		return nil
	}
	fmt.Fprintf(w, "%s would go to %s, received from %s to %s\n", plural(plan.Count, "event"), safe(plan.Endpoint), local(plan.First), local(plan.Last))
	leftOut(w, plan, want.Mode)
	if plan.Seconds > 0 {
		fmt.Fprintf(w, "at %g a second that takes %s\n", want.Rate, timeLeft(plan.Seconds))
	}
	fmt.Fprintln(w)
	t := newTable(w, "DAY (UTC)", "SOURCE", "STEP", "EVENTS")
	for _, p := range plan.Parts {
		t.row(p.Day, p.Source, orDash(p.Step), fmt.Sprint(p.Count))
	}
	if err := t.end(); err != nil {
		return err
	}
	if uint64(len(plan.Samples)) < plan.Count {
		fmt.Fprintf(w, "\nThe first %d:\n", len(plan.Samples))
	} else {
		fmt.Fprintln(w)
	}
	return printEvents(w, plan.Samples)
}

// leftOut tells which of the selected events a replay does not send, and what would send them.
func leftOut(w io.Writer, plan api.Plan, mode event.Mode) {
	if mode != event.ModeAll {
		if plan.Delivered > 0 {
			fmt.Fprintf(w, "%s delivered there already, left out (--mode all sends them again)\n", plural(plan.Delivered, "event"))
		}
		if plan.OnTheirWay > 0 {
			fmt.Fprintf(w, "%s on the way there, left out (live delivery or another replay brings them)\n", plural(plan.OnTheirWay, "event"))
		}
	}
	if plan.Repeats > 0 {
		fmt.Fprintf(w, "%s BotHelp's own retries of others, left out (--id names one to send it)\n", plural(plan.Repeats, "event"))
	}
}

// printEndpoints lists endpoints for people.
func printEndpoints(e *env, list []api.Endpoint) error {
	t := newTable(e.stdout, "NAME", "STATE", "LIVE", "WAITING", "OLDEST WAITING", "DELIVERED", "FAILED", "URL", "REASON")
	for _, s := range list {
		live, oldest := "no", "-"
		if s.Subscribed {
			live = "yes"
		}
		if s.OldestOpen != nil {
			oldest = local(*s.OldestOpen)
		}
		waiting := uint64(0)
		for state, n := range s.Backlog {
			if !state.Final() {
				waiting += n
			}
		}
		t.row(s.Name, s.State, live, fmt.Sprint(waiting), oldest, fmt.Sprint(s.Backlog[event.Delivered]), fmt.Sprint(s.Backlog[event.Failed]), s.URL, orDash(s.Reason))
	}
	return t.end()
}

type replayDiffCmd struct {
	replayID
	Against string `placeholder:"ENDPOINT" help:"The endpoint whose last answers to the same events to compare with (default: the replay's own, before and after it)."`
	Limit   int    `default:"20" help:"Show at most this many events that were answered differently."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// Run compares a replay's answers with others.
func (c replayDiffCmd) Run(e *env) error {
	id, err := c.uuid()
	if err != nil {
		return err
	}
	if c.Limit < 0 || c.Limit > 1000 {
		return fmt.Errorf("--limit must lie between 0 and 1000")
	}
	return e.withBackend(func(b backend) error {
		diff, err := b.Diff(e.ctx, id, c.Against, c.Limit)
		if err != nil {
			return err
		}
		if c.JSON {
			return printJSON(e.stdout, diff)
		}
		return printDiff(e.stdout, diff)
	})
}

func printDiff(w io.Writer, diff api.Diff) error {
	t := newTable(w, "EVENTS", "ANSWERED")
	for _, line := range []struct {
		n    uint64
		what string
	}{
		{diff.Same, "alike"}, {diff.DifferentStatus, "with another status"}, {diff.DifferentBody, "with another body"},
		{diff.OnlyHere, "by the replay's endpoint alone"}, {diff.OnlyThere, "by the other one alone"}, {diff.Neither, "by neither"},
	} {
		t.row(fmt.Sprint(line.n), line.what)
	}
	if err := t.end(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nlatency   this replay p50 %s, p95 %s; the other p50 %s, p95 %s\n",
		millis(diff.Here.P50MS), millis(diff.Here.P95MS), millis(diff.There.P50MS), millis(diff.There.P95MS))
	if len(diff.Rows) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nThe first that differ:\n")
	t = newTable(w, "EVENT", "DIFFERS IN", "THIS REPLAY", "THE OTHER")
	for _, r := range diff.Rows {
		t.row(r.EventID.String(), strings.Join(r.Differs, ", "), attemptText(r.Here), attemptText(r.There))
	}
	return t.end()
}

// attemptText is an attempt in a few words.
func attemptText(a *api.Attempt) string {
	if a == nil {
		return "-"
	}
	const most = 60
	text := fmt.Sprintf("%s %s in %s", statusText(a.StatusCode), a.Outcome, millis(a.DurationMS))
	if body := string(a.Response()); body != "" {
		if runes := []rune(body); len(runes) > most {
			body = string(runes[:most]) + "…"
		}
		text += ": " + body
	}
	return text
}

// timeLeft writes seconds as people say them.
func timeLeft(seconds float64) string {
	const most = 1e9 // three decades; what is longer is none
	return time.Duration(min(seconds, most) * float64(time.Second)).Round(time.Second).String()
}
