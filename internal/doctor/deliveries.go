package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize/english"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/replay"
)

// Limits of a backlog. A backlog beyond them does not clear on its own.
const (
	backlogNotice  = 15 * time.Minute
	backlogProblem = time.Hour
	mostWaiting    = 10_000
)

// The age of the events whose deliveries are checked, and the largest count of missing deliveries.
const (
	deliveriesWindow = 24 * time.Hour
	mostMissing      = 1000
)

// deliveries checks the backlog of each endpoint, and whether each stored event of its subscription has a delivery.
// Other checks report faults of ClickHouse and missing tables.
func (d *doctor) deliveries(ctx context.Context) (list []Finding) {
	db, err := d.cfg.OpenStore()
	if err != nil {
		return nil
	}
	defer db.Close()
	if s, err := db.SchemaNow(ctx); err != nil || s.At < s.Known {
		return nil
	}
	endpoints, err := d.service(db).Endpoints(ctx)
	if err != nil {
		return nil
	}
	for _, e := range endpoints {
		if f := backlogFinding(e, time.Now()); f != nil {
			list = append(list, *f)
		}
	}
	states, err := db.EndpointStates(ctx)
	if err != nil {
		return nil
	}
	for _, state := range states {
		if state.State == "removed" || state.Subscription == "" {
			continue
		}
		missing, err := db.Missing(ctx, store.Queue{Endpoint: state.Endpoint}, state, deliveriesWindow, mostMissing)
		switch {
		case err != nil:
			list = append(list, bad("see ClickHouse's log", "%s: %v", state.Endpoint, err))
		case len(missing) == mostMissing:
			list = append(list, missingFinding(state.Endpoint, fmt.Sprintf("%d events or more", mostMissing)))
		case len(missing) > 0:
			list = append(list, missingFinding(state.Endpoint, english.Plural(len(missing), "event", "")))
		default:
			list = append(list, ok("%s: each event of the last 24 h has its delivery", state.Endpoint))
		}
	}
	return list
}

func (d *doctor) service(db *store.Store) *replay.Service {
	return replay.NewService(db, d.cfg.DeliveryEndpoints, d.cfg.Replay.AllowPrivate)
}

// backlogFinding reports an endpoint's backlog. It returns nil for an endpoint that has never had a delivery.
func backlogFinding(e replay.EndpointStatus, now time.Time) *Finding {
	waiting := event.Open(e.Backlog)
	text := fmt.Sprintf("%d deliveries wait", waiting)
	if waiting == 1 {
		text = "1 delivery waits"
	}
	age := time.Duration(0)
	if waiting > 0 && !e.OldestOpen.IsZero() {
		age = now.Sub(e.OldestOpen)
		text += ", the oldest for an event received " + localTime(e.OldestOpen)
	}
	reason := ""
	if e.Reason != "" {
		reason = " (" + e.Reason + ")"
	}
	var f Finding
	switch {
	case e.State == "failing":
		f = bad("fix the endpoint; hooktape tries it again by itself, `hooktape endpoints resume "+e.Name+"` at once",
			"%s fails%s: %s", e.Name, reason, text)
	case e.State == "paused":
		f = warn("hooktape endpoints resume "+e.Name, "%s is paused%s: %s", e.Name, reason, text)
	case age > backlogProblem || waiting > mostWaiting:
		f = bad("see `hooktape endpoints` and the last errors at the endpoint; more concurrency or rate lets more "+
			"through", "%s: %s", e.Name, text)
	case age > backlogNotice:
		f = warn("see `hooktape endpoints` and the last errors at the endpoint", "%s: %s", e.Name, text)
	case e.State == replay.StateUnknown && waiting == 0:
		return nil
	case waiting == 0:
		f = ok("%s: nothing waits", e.Name)
	default:
		f = ok("%s: %s", e.Name, text)
	}
	return &f
}

func missingFinding(endpoint, events string) Finding {
	return bad("the process that delivers makes them within an hour, or at its start; restart it",
		"%s: %s of the last 24 h have no delivery", endpoint, events)
}
