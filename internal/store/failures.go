package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// failureLine is the line that deliveries of a failure group share: the first line of the answer or, without an answer,
// the error. Numbers, and hexadecimal ids, are #.
const failureLine = "replaceRegexpAll(if(status_code != 0, answer, splitByString('; ', error)[1]), " +
	"'\\\\b[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*\\\\b|[0-9]+', '#')"

// failureGroup is the key of a delivery's failure group.
const failureGroup = "lower(hex(sipHash64(endpoint, status_code, outcome, " + failureLine + ")))"

// FailureGroup is a number of deliveries that failed alike.
type FailureGroup struct {
	Key         string // for DeliverySelection.Groups
	Endpoint    string
	StatusCode  uint16 // 0 without an answer
	Outcome     event.Outcome
	Line        string // the shared first line of the answer, or the shared error; numbers are #
	FirstSeen   time.Time
	LastSeen    time.Time
	States      map[event.DeliveryState]uint64
	Resolved    uint64 // deliveries whose event was delivered to the endpoint later
	Subscribers uint64
	Example     event.DeliveryKey // the delivery that was tried last
}

// Failures are the failure groups of a selection of deliveries.
type Failures struct {
	Groups []FailureGroup
	// Count and Resolved count the deliveries of all groups, also of those beyond the limit.
	Count    uint64
	Resolved uint64
}

// FailureGroups groups selected deliveries that failed, those seen last first; at most limit. Without states in the
// selection they are the failed and the retrying ones.
func (s *Store) FailureGroups(ctx context.Context, sel event.DeliverySelection, limit int) (list Failures, err error) {
	if len(sel.States) == 0 {
		sel.States = event.FailureStates
	}
	where, err := deliveriesMatching(sel)
	if err != nil {
		return list, err
	}
	where.require("state NOT IN ('delivered', 'pending')")
	delivered := &conditions{args: where.args}
	if err := delivered.addDeliveries(event.DeliverySelection{From: sel.From, Until: sel.Until,
		Endpoints: sel.Endpoints, States: []event.DeliveryState{event.Delivered}}); err != nil {
		return list, err
	}
	const resolved = "countIf(delivered_at > updated_at)"
	sql := fmt.Sprintf(`SELECT %[1]s AS key, any(endpoint), any(status_code), any(outcome), any(%[2]s),
			min(if(first_attempt_at > toDateTime64(0, 6, 'UTC'), first_attempt_at, updated_at)), max(updated_at),
			CAST(sumMap(map(toString(state), toUInt64(1))), 'Map(String, UInt64)'), %[3]s, uniqExact(subscriber),
			argMax((replay_id, event_id), updated_at).1, argMax((replay_id, event_id), updated_at).2,
			sum(count()) OVER (), sum(%[3]s) OVER ()
		FROM (SELECT * FROM deliveries FINAL WHERE %[4]s) AS failures
		LEFT JOIN (SELECT endpoint, event_id, max(updated_at) AS delivered_at FROM deliveries FINAL
			WHERE %[5]s AND event_id IN (SELECT event_id FROM deliveries FINAL WHERE %[4]s)
			GROUP BY endpoint, event_id) AS later USING (endpoint, event_id)
		GROUP BY key ORDER BY 7 DESC, key LIMIT %[6]d`, failureGroup, failureLine, resolved, where, delivered, limit)
	list.Groups, err = collect(with(ctx, byMonth), s.patient, "group failures", sql, delivered.args,
		func(rows driver.Rows, g *FailureGroup) error {
			states := map[string]uint64{}
			err := rows.Scan(&g.Key, &g.Endpoint, &g.StatusCode, (*string)(&g.Outcome), &g.Line, &g.FirstSeen,
				&g.LastSeen, &states, &g.Resolved, &g.Subscribers, &g.Example.ReplayID, &g.Example.EventID,
				&list.Count, &list.Resolved)
			g.States, g.Example.Endpoint = typed[event.DeliveryState](states), g.Endpoint
			return err
		})
	return list, err
}
