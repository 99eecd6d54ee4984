package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

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
