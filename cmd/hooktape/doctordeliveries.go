package main

import (
	"context"
	"fmt"
	"time"

	"hooktape/store"
)

// Which events doctor looks at for a delivery, and how many of those without one it counts.
const (
	deliveriesWindow = 24 * time.Hour
	mostMissing      = 1000
)

// deliveries looks whether each stored event that an endpoint subscribes to has a delivery. ClickHouse's own trouble is told
// elsewhere.
func (d *doctor) deliveries(ctx context.Context) (list []finding) {
	db, err := d.cfg.openStore()
	if err != nil {
		return nil
	}
	defer db.Close()
	states, err := db.EndpointStates(ctx)
	if err != nil {
		return nil
	}
	for _, state := range states {
		if state.State == "removed" || state.Subscription == "" {
			continue
		}
		q := store.Queue{Endpoint: state.Endpoint}
		if _, err := fmt.Sscanf(state.Shard, "%d/%d", &q.Shard.Index, &q.Shard.Count); err != nil {
			continue // a process of another version wrote it
		}
		missing, err := db.Missing(ctx, q, state, deliveriesWindow, mostMissing)
		switch {
		case err != nil:
			list = append(list, bad("see ClickHouse's log", "%s: %v", state.Endpoint, err))
		case len(missing) == mostMissing:
			list = append(list, missingFinding(state.Endpoint, fmt.Sprintf("%d events or more", mostMissing)))
		case len(missing) > 0:
			list = append(list, missingFinding(state.Endpoint, plural(uint64(len(missing)), "event")))
		default:
			list = append(list, ok("%s: each event of the last 24 h has its delivery", state.Endpoint))
		}
	}
	return list
}

func missingFinding(endpoint, events string) finding {
	return bad("the process that delivers makes them within an hour, or at its start; restart it",
		"%s: %s of the last 24 h have no delivery", endpoint, events)
}
