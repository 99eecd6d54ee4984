package main

import (
	"fmt"

	"github.com/google/uuid"

	"hooktape/web/api"
)

type eventsAcceptCmd struct {
	IDs  []string `arg:"" name:"id" help:"The ids of the events, or unique beginnings of them; last is the newest rejected one."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (eventsAcceptCmd) Help() string {
	return `The requests get the verdict accepted, with the fields of their bodies, under their time of receipt. From
then on dashboards count them, and searches and replays find them. The audit log records who accepted them. Accepting
one twice changes nothing. Only requests that are stored as a whole can be accepted.

Nothing is sent: live delivery does not send accepted requests, a replay does.

A lead came with last month's token; accept it, and send it to the CRM:

  hooktape events list --rejected --since 1h
  hooktape events accept 01a204fa-08f1-752c-94ce-88b3d851a0db
  hooktape replay create --id 01a204fa-08f1-752c-94ce-88b3d851a0db --to crm

To send a rejected request without counting it, see hooktape replay create --include-rejected.`
}

// Run accepts events.
func (c eventsAcceptCmd) Run(e *env) error {
	return show(e, c.JSON, func(b backend) (done api.AcceptedList, err error) {
		ids := make([]uuid.UUID, len(c.IDs))
		for i, text := range c.IDs {
			if ids[i], err = uuidOf(e, b, api.NamesRejected, text, false); err != nil {
				return done, err
			}
		}
		return b.Accept(e.ctx, ids)
	}, func(done api.AcceptedList) error {
		for _, id := range done.Accepted {
			fmt.Fprintf(e.stdout, "%s accepted\n", id)
		}
		for _, id := range done.Already {
			fmt.Fprintf(e.stdout, "%s was accepted before\n", id)
		}
		return nil
	})
}
