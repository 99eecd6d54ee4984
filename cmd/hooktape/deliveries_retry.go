package main

import (
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/web/api"
)

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

// retry retries the selected deliveries and prints the result. It first asks for confirmation where that is needed.
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
		line(r.Failed-left, "that failed, and were sent again since or have lost their body to retention")
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
