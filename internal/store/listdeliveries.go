package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// DeliveryPage selects rows of a list of deliveries.
type DeliveryPage struct {
	Limit  int
	Before *DeliveryCursor // deliveries after this one in the list; nil for the first page
}

// DeliveryCursor is the place of a delivery in a list: when its event was received, and its id.
type DeliveryCursor struct {
	At time.Time
	ID event.DeliveryID
}

// fork is event.DeliveryID.Fork as an expression.
const fork = "lower(substring(hex(SHA256(concat(toString(replay_id), endpoint))), 1, 8))"

// failureLine is the line that deliveries of a failure group share: the first line of the answer or, without an answer,
// the error. Numbers, and hexadecimal ids, are #.
const failureLine = "replaceRegexpAll(if(status_code != 0, answer, splitByString('; ', error)[1]), " +
	"'\\\\b[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*\\\\b|[0-9]+', '#')"

// failureGroup is the key of a delivery's failure group.
const failureGroup = "lower(hex(sipHash64(endpoint, status_code, outcome, " + failureLine + ")))"

// deliveriesMatching turns a selection into conditions over the table deliveries FINAL.
func deliveriesMatching(sel event.DeliverySelection) (*conditions, error) {
	c := &conditions{}
	if err := c.addDeliveries(sel); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *conditions) addDeliveries(sel event.DeliverySelection) error {
	c.require(made)
	sel = sel.Complete()
	for _, f := range event.DeliveryFilters {
		values := f.Values(sel)
		switch {
		case len(values) == 0:
		case f.Column != "":
			c.add(f.Column+" IN {}", "Array(String)", values)
		case deliveryConditionOf[f.Name] == nil:
			return fmt.Errorf("the filter %s has no column and no condition", f.Name)
		default:
			deliveryConditionOf[f.Name](c, sel)
		}
	}
	return nil
}

// deliveryConditionOf has the conditions of filters that do not compare one column.
var deliveryConditionOf = map[string]func(*conditions, event.DeliverySelection){
	"replay": func(c *conditions, sel event.DeliverySelection) {
		ids := []string{}
		term := "replay_id IN {}"
		for _, id := range sel.Replays {
			switch id {
			case event.LiveDelivery:
				ids = append(ids, uuid.Nil.String())
			case event.AnyReplay:
				term = "(replay_id IN {} OR NOT (" + live + "))"
			default:
				ids = append(ids, id)
			}
		}
		c.add(term, "Array(UUID)", ids)
	},
	"event": func(c *conditions, sel event.DeliverySelection) { c.ofEvents(sel.Events) },
	"status_code": func(c *conditions, sel event.DeliverySelection) {
		c.add("hasAny({}, [toString(status_code), concat(toString(intDiv(status_code, 100)), 'xx')])", "Array(String)",
			sel.StatusCodes)
	},
	"subscriber": func(c *conditions, sel event.DeliverySelection) {
		ids := slices.Clone(sel.Subscribers)
		for _, id := range sel.Subscribers {
			ids = append(ids, "m:"+id) // of a messenger; see subscriber
		}
		c.add("subscriber IN {}", "Array(String)", ids)
	},
	"group": func(c *conditions, sel event.DeliverySelection) {
		c.add(failureGroup+" IN {}", "Array(String)", sel.Groups)
	},
	"from":               since("event_received_at", func(s event.DeliverySelection) *time.Time { return s.From }),
	"until":              until("event_received_at", func(s event.DeliverySelection) *time.Time { return s.Until }),
	"first_attempt_from": since("first_attempt_at", func(s event.DeliverySelection) *time.Time { return s.FirstFrom }),
	"first_attempt_until": until("first_attempt_at",
		func(s event.DeliverySelection) *time.Time { return s.FirstUntil }),
	"last_attempt_from":  since("last_attempt_at", func(s event.DeliverySelection) *time.Time { return s.LastFrom }),
	"last_attempt_until": until("last_attempt_at", func(s event.DeliverySelection) *time.Time { return s.LastUntil }),
	"id": func(c *conditions, sel event.DeliverySelection) {
		events, ids := make([]uuid.UUID, len(sel.IDs)), make([]string, len(sel.IDs))
		for i, text := range sel.IDs {
			id, _ := event.ParseDeliveryID(text) // an invalid one matches nothing
			events[i], ids[i] = id.Event, id.String()
		}
		c.receivedWith(events)
		if len(events) <= maxParameters { // for the index; of more it is as long as the ids
			c.add("event_id IN {}", "Array(UUID)", uuidStrings(events))
		}
		c.add("concat(toString(event_id), '-', "+fork+") IN {}", "Array(String)", ids)
	},
}

func since(column string, of func(event.DeliverySelection) *time.Time) func(*conditions, event.DeliverySelection) {
	return func(c *conditions, sel event.DeliverySelection) {
		c.addTime(column+" >= {}", *of(sel))
	}
}

// until also excludes the zero time of deliveries without an attempt.
func until(column string, of func(event.DeliverySelection) *time.Time) func(*conditions, event.DeliverySelection) {
	return func(c *conditions, sel event.DeliverySelection) {
		c.addTime(column+" < {}", *of(sel))
		c.require(column + " > toDateTime64(0, 6, 'UTC')")
	}
}

// ofEvents requires that a delivery is of one of these events.
func (c *conditions) ofEvents(ids []uuid.UUID) {
	c.receivedWith(ids)
	c.add("event_id IN {}", "Array(UUID)", uuidStrings(ids))
}

// receivedWith limits deliveries to the times of receipt of events, if their ids contain times.
func (c *conditions) receivedWith(ids []uuid.UUID) {
	if from, to, ok := event.IDRange(ids); ok {
		c.addBetween("event_received_at", from, to)
	}
}

// ListDeliveries returns selected deliveries, those of the newest events first. It goes back in steps of time and stops
// after the step in which patience ends. Then rest is the cursor to continue from; it is nil if the page is full or
// everything was searched.
func (s *Store) ListDeliveries(ctx context.Context, sel event.DeliverySelection, page DeliveryPage,
	patience time.Duration) (found []event.Delivery, rest *DeliveryCursor, err error) {
	begin, end, most, err := s.deliverySpan(ctx, sel, page)
	if err != nil {
		return nil, nil, err
	}
	reached, err := stepBack(begin, end, most, patience, func(from, until time.Time) (full bool, err error) {
		part := sel
		part.From, part.Until = &from, &until
		more, err := s.deliveriesBetween(ctx, part, DeliveryPage{page.Limit - len(found), page.Before})
		found = append(found, more...)
		return len(found) >= page.Limit, err
	})
	if reached != nil {
		rest = &DeliveryCursor{At: *reached}
	}
	return found, rest, err
}

func (s *Store) deliveriesBetween(ctx context.Context, sel event.DeliverySelection, page DeliveryPage) (
	[]event.Delivery, error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	if page.Before != nil {
		at := where.bindTime(page.Before.At)
		where.require("event_received_at <= "+at, fmt.Sprintf("(event_received_at, event_id, %s) < (%s, %s, %s)", fork,
			at, where.bind("UUID", page.Before.ID.Event.String()), where.bind("String", page.Before.ID.Fork)))
	}
	return collect(with(ctx, byMonth), s.conn, "read deliveries",
		fmt.Sprintf("SELECT %s FROM deliveries FINAL WHERE %s ORDER BY event_received_at DESC, event_id DESC, %s "+
			"DESC LIMIT %d",
			deliveryColumns, where, fork, page.Limit), where.args, scanDelivery)
}

// byMonth lets FINAL merge each month for itself: no two have versions of the same delivery.
var byMonth = map[string]any{"do_not_merge_across_partitions_select_final": 1}

// deliverySpan returns the time range of the events of a page's deliveries, begin included, end not, and the longest
// step.
func (s *Store) deliverySpan(ctx context.Context, sel event.DeliverySelection, page DeliveryPage) (begin, end time.Time,
	most time.Duration, err error) {
	where, err := deliveriesMatching(event.DeliverySelection{From: sel.From, Until: sel.Until, Events: sel.Events,
		Replays: sel.Replays, Endpoints: sel.Endpoints, IDs: sel.IDs})
	if err != nil {
		return begin, end, 0, err
	}
	if page.Before != nil {
		where.addTime("event_received_at <= {}", page.Before.At)
	}
	var rows uint64
	err = s.conn.QueryRow(ctx, "SELECT min(event_received_at), max(event_received_at), count() FROM deliveries WHERE "+
		where.String(), where.args...).Scan(&begin, &end, &rows)
	if err != nil || rows == 0 {
		return begin, begin, 0, explain("find the oldest and the newest delivery", err)
	}
	end = end.Add(time.Microsecond)
	return begin, end, longestStep(begin, end, rows), nil
}

// DeliveryCount is the number of deliveries of a queue that are in a state.
type DeliveryCount struct {
	Queue
	State       event.DeliveryState
	N           uint64
	First, Last time.Time // receipt of their first and last event
}

// CountSelectedDeliveries counts selected deliveries by queue and state.
func (s *Store) CountSelectedDeliveries(ctx context.Context, sel event.DeliverySelection) ([]DeliveryCount, error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	return collect(with(ctx, byMonth), s.patient, "count deliveries",
		"SELECT replay_id, endpoint, state, count(), min(event_received_at), max(event_received_at) "+
			"FROM deliveries FINAL WHERE "+where.String()+
			" GROUP BY replay_id, endpoint, state ORDER BY endpoint, toString(replay_id), state", where.args,
		func(rows driver.Rows, c *DeliveryCount) error {
			return rows.Scan(&c.ReplayID, &c.Endpoint, (*string)(&c.State), &c.N, &c.First, &c.Last)
		})
}

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

// EventsToRetry returns the events of selected deliveries in order of arrival, each once; at most limit.
func (s *Store) EventsToRetry(ctx context.Context, sel event.DeliverySelection, limit int) ([]uuid.UUID, error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	return collect(with(ctx, byMonth), s.patient, "read deliveries", fmt.Sprintf(
		"SELECT event_id FROM deliveries FINAL WHERE %s ORDER BY event_position, event_id LIMIT 1 BY event_id LIMIT %d",
		where, limit), where.args, scanID)
}

// retried returns the condition that an event has one of the selected deliveries. If only those in some states are
// selected, those of a replay whose events a later replay to the same endpoint has delivered, or still will, do not
// count.
func (c *conditions) retried(sel event.DeliverySelection) (string, error) {
	d := &conditions{args: c.args}
	if err := d.addDeliveries(sel); err != nil {
		return "", err
	}
	parents := slices.DeleteFunc(slices.Clone(sel.Replays), func(id string) bool { return uuid.Validate(id) != nil })
	if len(parents) > 0 && len(sel.States) > 0 {
		d.require("(endpoint, event_id) NOT IN (SELECT endpoint, event_id FROM deliveries FINAL WHERE " +
			"state NOT IN ('failed', 'cancelled') AND replay_id GLOBAL IN (SELECT id FROM replays WHERE created_at > " +
			"(SELECT max(created_at) FROM replays WHERE id IN " + d.bind("Array(UUID)", parents) + ")))")
	}
	c.args = d.args
	return "id IN (SELECT event_id FROM deliveries FINAL WHERE " + d.String() + ")", nil
}

// OpenRetries describes the open deliveries of a queue in which some wait for a retry.
type OpenRetries struct {
	Retrying uint64    // those that wait for their next attempt
	Next     time.Time // of the first of these attempts
	Others   uint64    // the other open ones
	Free     uint64    // the others of subscribers without a delivery that waits for its next attempt
}

// OpenRetries returns the open deliveries of a queue.
func (s *Store) OpenRetries(ctx context.Context, q Queue) (open OpenRetries, err error) {
	where := q.conditions()
	where.require(openState)
	err = s.conn.QueryRow(with(ctx, byMonth), `SELECT sum(retrying), minIf(next, retrying > 0), sum(others), sumIf(others, retrying = 0)
		FROM (SELECT subscriber, countIf(state = 'retrying') AS retrying, minIf(next_at, state = 'retrying') AS next, countIf(state != 'retrying') AS others
			FROM deliveries FINAL WHERE `+where.String()+` GROUP BY subscriber)`, where.args...).Scan(&open.Retrying,
		&open.Next, &open.Others, &open.Free)
	return open, explain("read retries", err)
}

// Earlier is a delivery of the same subscriber for which another one waits.
type Earlier struct {
	event.DeliveryKey
	State event.DeliveryState
}

// EarlierDeliveries returns, for deliveries of a queue with order up to a position, the first open delivery of the same
// subscriber, by subscriber. It may be the delivery itself. It groups the versions of these subscribers' deliveries,
// because FINAL would merge the whole queue.
func (s *Store) EarlierDeliveries(ctx context.Context, q Queue, subscribers []string, upTo time.Time) (
	map[string]Earlier, error) {
	where := q.conditions()
	where.add("subscriber IN {}", "Array(String)", subscribers)
	where.addTime("event_position <= {}", upTo)
	type row struct {
		subscriber string
		Earlier
	}
	rows, err := collect(ctx, s.conn, "read deliveries",
		"SELECT subscriber, event_id, argMax(state, version) AS last FROM deliveries WHERE "+where.String()+
			" GROUP BY subscriber, event_position, event_id HAVING NOT "+inStates("last", event.FinalStates)+
			" ORDER BY event_position, event_id LIMIT 1 BY subscriber", where.args,
		func(rows driver.Rows, r *row) error {
			return rows.Scan(&r.subscriber, &r.EventID, (*string)(&r.State))
		})
	first := map[string]Earlier{}
	for _, r := range rows {
		first[r.subscriber] = r.Earlier
	}
	return first, err
}
