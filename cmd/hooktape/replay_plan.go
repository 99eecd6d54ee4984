package main

import (
	"fmt"
	"io"

	"hooktape/internal/event"
	"hooktape/replay"
	"hooktape/web/api"
)

// printPlan prints which events a replay would send, and which it would leave out.
func printPlan(w io.Writer, plan api.Plan, want replay.Request) error {
	if plan.Count == 0 {
		fmt.Fprintln(w, "there is nothing to replay: no events match that would be sent")
		printLeftOut(w, plan, want)
		return nil
	}
	fmt.Fprintf(w, "%s would go to %s, received from %s to %s\n", plural(plan.Count, "event"), safe(plan.Endpoint),
		local(plan.First), local(plan.Last))
	printLeftOut(w, plan, want)
	if plan.Seconds > 0 {
		fmt.Fprintf(w, "at %g a second that takes %s\n", want.Rate, seconds(plan.Seconds))
	}
	for _, c := range plan.Confirm {
		fmt.Fprintf(w, "! %s\n", safe(c.Text))
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

func printLeftOut(w io.Writer, plan api.Plan, want replay.Request) {
	if plan.Rejected > 0 {
		fmt.Fprintf(w, "%s among them: --include-rejected sends them too\n", plural(plan.Rejected, "rejected request"))
	}
	fate := "left out"
	if want.Mode == event.ModeAll {
		fate = "sent again"
	}
	if plan.Delivered > 0 {
		fmt.Fprintf(w, "%s, already delivered there: %s\n", plural(plan.Delivered, "event"), fate)
	}
	if plan.OnTheirWay > 0 {
		fmt.Fprintf(w, "%s, on the way there: %s\n", plural(plan.OnTheirWay, "event"), fate)
	}
	if plan.Repeats > 0 {
		fmt.Fprintf(w, "%s, BotHelp's own repetitions: left out\n", plural(plan.Repeats, "event"))
	}
	if plan.BodiesGone > 0 {
		fmt.Fprintf(w, "%s without a body, which is past its retention: left out\n", plural(plan.BodiesGone, "event"))
	}
	if plan.Forgotten > 0 {
		fmt.Fprintf(w,
			"%s, so old that deliveries of them were removed and nobody knows whether they arrived: left out; --mode "+
				"all sends them too\n", plural(plan.Forgotten, "event"))
	}
}
