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
