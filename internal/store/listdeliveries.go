package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		ids := slices.Clone(sel.Replays)
		for i, id := range ids {
			if id == event.LiveDelivery {
				ids[i] = uuid.Nil.String()
			}
		}
		c.add("replay_id IN {}", "Array(UUID)", ids)
	},
	"event": func(c *conditions, sel event.DeliverySelection) { c.ofEvents(sel.Events) },
	"status_code": func(c *conditions, sel event.DeliverySelection) {
		c.add("hasAny({}, [toString(status_code), concat(toString(intDiv(status_code, 100)), 'xx')])", "Array(String)",
			sel.StatusCodes)
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
		events := make([]uuid.UUID, len(sel.IDs))
		for i, text := range sel.IDs {
			id, _ := event.ParseDeliveryID(text) // an invalid one has the zero event
			events[i] = id.Event
		}
		c.ofEvents(events)
		c.add("concat(toString(event_id), '-', "+fork+") IN {}", "Array(String)", sel.IDs)
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
	if from, to, ok := event.IDRange(ids); ok {
		c.addBetween("event_received_at", from, to)
	}
	c.add("event_id IN {}", "Array(UUID)", uuidStrings(ids))
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
		Replays: sel.Replays, Endpoints: sel.Endpoints})
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
	State event.DeliveryState
	N     uint64
}

// CountSelectedDeliveries counts selected deliveries by queue and state.
func (s *Store) CountSelectedDeliveries(ctx context.Context, sel event.DeliverySelection) ([]DeliveryCount, error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	return collect(with(ctx, byMonth), s.patient, "count deliveries",
		"SELECT replay_id, endpoint, state, count() FROM deliveries FINAL WHERE "+where.String()+
			" GROUP BY replay_id, endpoint, state ORDER BY endpoint, toString(replay_id), state", where.args,
		func(rows driver.Rows, c *DeliveryCount) error {
			return rows.Scan(&c.ReplayID, &c.Endpoint, (*string)(&c.State), &c.N)
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
	Subscribers uint64
	Example     event.DeliveryKey // the delivery that was tried last
}

// FailureGroups groups selected deliveries that failed, those seen last first; at most limit. Without states in the
// selection they are the failed and the retrying ones.
func (s *Store) FailureGroups(ctx context.Context, sel event.DeliverySelection, limit int) ([]FailureGroup, error) {
	if len(sel.States) == 0 {
		sel.States = []event.DeliveryState{event.Failed, event.Retrying}
	}
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	where.require("state NOT IN ('delivered', 'pending')")
	sql := fmt.Sprintf(`SELECT %s AS key, any(endpoint), any(status_code), any(outcome), any(%s),
			min(if(first_attempt_at > toDateTime64(0, 6, 'UTC'), first_attempt_at, updated_at)), max(updated_at),
			CAST(sumMap(map(toString(state), toUInt64(1))), 'Map(String, UInt64)'), uniqExact(subscriber),
			argMax((replay_id, event_id), updated_at).1, argMax((replay_id, event_id), updated_at).2
		FROM deliveries FINAL WHERE %s GROUP BY key ORDER BY 7 DESC, key LIMIT %d`, failureGroup, failureLine, where, limit)
	return collect(with(ctx, byMonth), s.patient, "group failures", strings.TrimSpace(sql), where.args, scanGroup)
}

func scanGroup(rows driver.Rows, g *FailureGroup) error {
	states := map[string]uint64{}
	err := rows.Scan(&g.Key, &g.Endpoint, &g.StatusCode, (*string)(&g.Outcome), &g.Line, &g.FirstSeen, &g.LastSeen,
		&states, &g.Subscribers, &g.Example.ReplayID, &g.Example.EventID)
	g.States, g.Example.Endpoint = typed[event.DeliveryState](states), g.Endpoint
	return err
}

// EventsToRetry returns the events of selected deliveries in order of arrival, each once; at most limit. Those with a
// delivered or open delivery in a replay to the same endpoint that was created after a time were sent again already,
// and are left out; a zero time leaves out none.
func (s *Store) EventsToRetry(ctx context.Context, sel event.DeliverySelection, after time.Time,
	limit int) ([]uuid.UUID, error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	if !after.IsZero() {
		where.require("(endpoint, event_id) NOT IN (SELECT endpoint, event_id FROM deliveries FINAL WHERE " +
			"state NOT IN ('failed', 'cancelled') AND replay_id GLOBAL IN (SELECT id FROM replays WHERE created_at > " +
			where.bindTime(after) + "))")
	}
	return collect(with(ctx, byMonth), s.patient, "read deliveries", fmt.Sprintf(
		"SELECT event_id FROM deliveries FINAL WHERE %s ORDER BY event_position, event_id LIMIT 1 BY event_id LIMIT %d",
		where, limit), where.args, scanID)
}

// Earlier is a delivery of the same subscriber for which another one waits.
type Earlier struct {
	event.DeliveryKey
	State event.DeliveryState
}

// EarlierDeliveries returns, for deliveries of a queue with order, the first open delivery of the same subscriber, by
// subscriber. It may be the delivery itself.
func (s *Store) EarlierDeliveries(ctx context.Context, q Queue, subscribers []string) (map[string]Earlier, error) {
	where := q.conditions()
	where.require(openState)
	where.add("subscriber IN {}", "Array(String)", subscribers)
	type row struct {
		subscriber string
		Earlier
	}
	rows, err := collect(with(ctx, byMonth), s.conn, "read deliveries",
		"SELECT subscriber, event_id, state FROM deliveries FINAL WHERE "+where.String()+
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
