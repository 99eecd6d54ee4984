package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hooktape/internal/event"
	"hooktape/web/api"
)

type deliveriesGroupsCmd struct {
	deliveryFlags
	Limit int  `default:"50" help:"At most this many."`
	JSON  bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (deliveriesGroupsCmd) Help() string {
	return `Deliveries that failed alike are one group: the same endpoint, status (or kind of error) and first line of
the answer, in which numbers count as equal. Without --state they are the failed and the retrying ones.

What is wrong today?

  hooktape deliveries groups --since 24h

RESOLVED counts those whose events were delivered later, live or by a replay. The last line of the output is the command
that sends one of these groups again, with the same filters:

  hooktape deliveries retry --group 0f3a9c51d2e4b687 --from 2026-01-31T12:00:00Z`
}

// Run lists failure groups.
func (c deliveriesGroupsCmd) Run(e *env) error {
	if c.Limit < 1 || c.Limit > 1000 {
		return errors.New("--limit must lie between 1 and 1000")
	}
	sel, err := c.selection(e, time.Now())
	if err != nil {
		return err
	}
	return show(e, c.JSON, func(b backend) ([]api.FailureGroup, error) {
		list, err := b.FailureGroups(e.ctx, sel, c.Limit)
		return list.Groups, err
	}, func(groups []api.FailureGroup) error {
		if len(groups) == 0 {
			fmt.Fprintln(e.stderr, "no failures match")
			return nil
		}
		t := newTable(e.stdout, "ENDPOINT", "STATUS", "ANSWER", "COUNT", "FAILED", "RETRYING", "RESOLVED",
			"SUBSCRIBERS", "FIRST SEEN", "LAST SEEN", "GROUP")
		for _, g := range groups {
			status := string(g.Outcome)
			if g.StatusCode != 0 {
				status = statusText(g.StatusCode)
			}
			t.row(g.Endpoint, orDash(status), orDash(head(g.Line, 80)), fmt.Sprint(g.Count),
				fmt.Sprint(g.States[event.Failed]), fmt.Sprint(g.States[event.Retrying]), fmt.Sprint(g.Resolved),
				fmt.Sprint(g.Subscribers), local(g.FirstSeen), local(g.LastSeen), g.Key)
		}
		if err := t.end(); err != nil {
			return err
		}
		open := slices.IndexFunc(groups, func(g api.FailureGroup) bool { return g.Open() > 0 })
		if open < 0 {
			return nil
		}
		sel.Groups = []string{groups[open].Key}
		fmt.Fprintf(e.stderr, "to send one of them again: hooktape deliveries retry %s\n",
			safe(strings.Join(flagsOf(event.DeliveryFilters, sel), " ")))
		return nil
	})
}
