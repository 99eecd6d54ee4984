package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

type deliveriesCmd struct {
	List   deliveriesListCmd   `cmd:"" help:"List deliveries, those of the newest events first."`
	Show   deliveriesShowCmd   `cmd:"" help:"Show one delivery with its attempts, and what it waits for."`
	Groups deliveriesGroupsCmd `cmd:"" help:"Group failures by endpoint, status and answer."`
	Retry  deliveriesRetryCmd  `cmd:"" help:"Try deliveries again: retrying ones now, failed ones in a new replay."`
}

type deliveriesListCmd struct {
	deliveryFlags
	Limit  int    `default:"50" help:"At most this many; 0 for all."`
	Format string `enum:",csv,ndjson" default:"" placeholder:"FORMAT" help:"Print csv or ndjson instead of a table."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (deliveriesListCmd) Help() string {
	return `What is waiting for the CRM, and why?

  hooktape deliveries list --endpoint crm --state pending --state retrying

What failed there between one and three, at its own fault?

  hooktape deliveries list --endpoint crm --state failed --status-code 5xx \
    --last-attempt-from 01:00 --last-attempt-until 03:00

Everything that one person's events led to, for a spreadsheet:

  hooktape deliveries list --subscriber 47659 --limit 0 --format csv > deliveries.csv`
}

// Run lists deliveries.
func (c deliveriesListCmd) Run(e *env) error {
	sel, err := c.selection(e, time.Now())
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error { return listDeliveries(e, b, sel, c.Limit, c.Format, c.JSON) })
}

// listDeliveries prints at most limit selected deliveries; all with 0.
func listDeliveries(e *env, b backend, sel event.DeliverySelection, limit int, format string, asJSON bool) error {
	if limit < 0 {
		return errors.New("--limit must not be negative")
	}
	w := bufio.NewWriter(e.stdout)
	out := api.NewRows(w, format, api.DeliveryColumns())
	all, n := []api.Delivery{}, 0
	more, err := readPages(limit, func(size int, cursor string) (int, string, error) {
		page, err := b.Deliveries(e.ctx, sel, size, cursor)
		n += len(page.Deliveries)
		if format == "" {
			all = append(all, page.Deliveries...)
		} else if err == nil {
			err = api.WriteRows(out, page.Deliveries)
		}
		return len(page.Deliveries), page.Next, err
	})
	if err != nil {
		return err
	}
	if more {
		defer fmt.Fprintf(e.stderr, "there are more than these %d; --limit 0 shows all\n", n)
	}
	switch {
	case format != "":
		return errors.Join(out.Flush(), w.Flush())
	case asJSON:
		return printJSON(e.stdout, all)
	case n == 0:
		fmt.Fprintln(e.stderr, "no deliveries match")
		return nil
	}
	return printDeliveries(e.stdout, all)
}

func printDeliveries(w io.Writer, list []api.Delivery) error {
	t := newTable(w, "EVENT RECEIVED", "ENDPOINT", "STATE", "ATTEMPTS", "LAST ATTEMPT", "STATUS", "SUBSCRIBER",
		"LAST ANSWER, OR WHAT IT WAITS FOR", "ID")
	for _, d := range list {
		why := lastAnswer(d)
		if d.Waiting != nil {
			why = d.Waiting.Text
		}
		t.row(local(d.EventReceivedAt), d.Endpoint, string(d.State), fmt.Sprint(d.AttemptCount), local(d.LastAttemptAt),
			statusText(d.StatusCode), d.Subscriber, orDash(head(why, 80)), d.ID)
	}
	return t.end()
}

// lastAnswer returns the first line of a delivery's last answer or, without one, what went wrong.
func lastAnswer(d api.Delivery) string {
	if d.Answer != "" {
		return d.Answer
	}
	return d.Error
}

type deliveriesShowCmd struct {
	ID string `arg:"" optional:"" help:"The delivery's id, a unique beginning of it, or the id of an event with one delivery."`
	last
	JSON bool `name:"json" help:"Print JSON."`
}

// Run shows one delivery.
func (c deliveriesShowCmd) Run(e *env) error {
	return show(e, c.JSON, func(b backend) (d api.Delivery, err error) {
		whole, err := wholeID(e, b, event.NamesDelivery, c.ID, c.Last)
		if err != nil {
			return d, err
		}
		id, err := event.ParseDeliveryID(whole)
		if err != nil {
			return d, err
		}
		return b.Delivery(e.ctx, id)
	}, func(d api.Delivery) error {
		fmt.Fprintf(e.stdout, "delivery    %s\nevent       %s, received %s\nsubscriber  %s\n", d.ID, d.EventID,
			local(d.EventReceivedAt), safe(d.Subscriber))
		return showDeliveries(e.stdout, []api.Delivery{d})
	})
}

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
		sel.Groups = []string{groups[0].Key}
		fmt.Fprintf(e.stderr, "to send one of them again: hooktape deliveries retry %s\n",
			safe(strings.Join(flagsOf(event.DeliveryFilters, sel), " ")))
		return nil
	})
}

type deliveriesRetryCmd struct {
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of deliveries, or unique beginnings of them."`
	last
	deliveryFlags
	retryFlags
}

// retryFlags are the flags of commands that retry deliveries.
type retryFlags struct {
	DryRun bool `help:"Show what would be done, and do nothing."`
	confirmation
	JSON bool `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (deliveriesRetryCmd) Help() string {
	return `Deliveries that are being retried are tried now. Those that failed or were cancelled go out in a new replay
to the same endpoint, with the options of the replay in which they failed. What was delivered meanwhile is not sent
again.

  hooktape deliveries retry 01a204fa-08f1-752c-94ce-88b3d851a0db-1a2b3c4d
  hooktape deliveries retry --endpoint crm --state failed --last-attempt-from 01:00 --last-attempt-until 03:00
  hooktape deliveries retry --group 0f3a9c51d2e4b687`
}

// Run retries deliveries.
func (c deliveriesRetryCmd) Run(e *env) error {
	sel, err := c.selection(e, time.Now())
	if err != nil {
		return err
	}
	return e.withBackend(func(b backend) error {
		if c.Last {
			c.IDs = append(c.IDs, api.LastID)
		}
		for _, text := range c.IDs {
			id, err := wholeID(e, b, event.NamesDelivery, text, false)
			if err != nil {
				return err
			}
			sel.IDs = append(sel.IDs, id)
		}
		return c.retry(e, b, sel)
	})
}

// retry retries the selected deliveries, after a person has confirmed it if necessary, and prints what was done.
func (c retryFlags) retry(e *env, b backend, sel event.DeliverySelection) error {
	plan, err := b.RetryDeliveries(e.ctx, "", api.DeliveryRetry{Selection: sel, DryRun: true})
	if err != nil {
		return err
	}
	result := plan
	if !c.DryRun {
		if err := c.confirm(e, plan.Confirm()); err != nil {
			return err
		}
		if result, err = b.RetryDeliveries(e.ctx, uuid.NewString(), api.DeliveryRetry{Selection: sel}); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(e.stdout, result)
	}
	printRetried(e.stdout, result, c.DryRun)
	return nil
}

func printRetried(w io.Writer, r api.Retried, dry bool) {
	would := ""
	if dry {
		would = "would be "
	}
	line := func(n uint64, text string) {
		if n > 0 {
			fmt.Fprintf(w, "deliveries %s: %d\n", text, n)
		}
	}
	line(r.Asked, would+"tried now")
	line(r.Waiting, "that are open and sent in their turn")
	line(r.Delivered, "that are delivered, and not sent again")
	var refused uint64
	for _, one := range r.Refused {
		refused += one.Count
	}
	if left := r.Sent + refused; r.Failed > left {
		line(r.Failed-left, "that have failed, and were sent again since or have no body any more")
	}
	for _, one := range r.Refused {
		fmt.Fprintf(w, "deliveries to %s that cannot be sent now: %d (%s)\n", safe(one.Endpoint), one.Count,
			safe(one.Why))
	}
	for _, one := range r.Replays {
		from := "live delivery"
		if one.Parent != uuid.Nil {
			from = "replay " + one.Parent.String()
		}
		id := ""
		if !dry {
			id = " by replay " + one.ID.String()
		}
		fmt.Fprintf(w, "%s that failed in %s %ssent to %s again%s\n", plural(one.Events, "event"), from, would,
			safe(one.Endpoint), id)
	}
	if r.Asked+r.Waiting+r.Delivered+r.Failed+refused == 0 {
		fmt.Fprintln(w, "no deliveries match")
	}
	if len(r.Replays) > 0 && !dry {
		fmt.Fprintf(w, "to follow it: hooktape replay watch %s\n", r.Replays[0].ID)
	}
}
