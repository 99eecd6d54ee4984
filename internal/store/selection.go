package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
)

// events is the FROM clause that goes with the conditions of a selection: the table, or those of its rows for which the
// selection's own expression is true. The expression has a scope of its own and stands on lines of its own. So a comment
// at its end reaches nothing of ours, and a name that it gives to something is unknown outside or an error, but never what
// a condition of ours means by that name. The columns after the asterisk are computed ones, which it leaves out.
func (c *conditions) events() string {
	if c.expression == "" {
		return "events"
	}
	return "(SELECT *, events.search_text AS search_text, events.search_body AS search_body FROM events WHERE (\n" + c.expression + "\n))"
}

// matching turns a selection into conditions over the table events. If its expression is at fault, the error is an
// *ExpressionError.
func (s *Store) matching(ctx context.Context, sel event.Selection) (*conditions, error) {
	c := &conditions{}
	for _, f := range event.Filters {
		values := f.Values(sel)
		switch {
		case len(values) == 0:
		case f.AnySpelling:
			c.addAlike(f.Column, values)
		case f.Column != "":
			c.add(f.Column+" IN {}", "Array(String)", values)
		case f.Name == "where":
			var err error
			if c.expression, err = s.understand(ctx, sel.Where); err != nil {
				return nil, err
			}
		case conditionOf[f.Name] == nil:
			return nil, fmt.Errorf("the filter %s has neither a column nor a condition", f.Name)
		default:
			conditionOf[f.Name](c, sel)
		}
	}
	return c, nil
}

// conditionOf has the conditions of filters that are no comparison with one column.
var conditionOf = map[string]func(*conditions, event.Selection){
	"from": func(c *conditions, sel event.Selection) {
		c.add("received_at >= {}", "DateTime64(6,'UTC')", micros(*sel.From))
	},
	"until": func(c *conditions, sel event.Selection) {
		c.add("received_at < {}", "DateTime64(6,'UTC')", micros(*sel.Until))
	},
	"id":         func(c *conditions, sel event.Selection) { c.identified(sel.IDs) },
	"subscriber": func(c *conditions, sel event.Selection) { c.addSubscribers(sel.Subscribers) },
	"field":      func(c *conditions, sel event.Selection) { c.addFields(sel.Fields) },
	"text":       func(c *conditions, sel event.Selection) { c.addText(sel.Text) },
	"undelivered_to": func(c *conditions, sel event.Selection) {
		c.require(c.remembered(sel.UndeliveredTo), "id NOT IN (SELECT event_id FROM deliveries FINAL WHERE "+c.deliveriesTo(sel.UndeliveredTo, sel)+" AND state = 'delivered')")
	},
	"failed_at": func(c *conditions, sel event.Selection) {
		c.require("id IN (SELECT event_id FROM deliveries FINAL WHERE " + c.deliveriesTo(sel.FailedAt, sel) +
			" GROUP BY event_id HAVING argMax(state, (updated_at, version)) = 'failed')")
	},
}

// addSubscribers is the condition that an event is about one of these people. An empty id is nobody's: without the filter, ""
// would be everyone who lacks one of the two.
func (c *conditions) addSubscribers(ids []string) {
	known := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	// Each of the two columns has an index, and ClickHouse uses neither where they are joined by OR. GLOBAL is for clusters, where
	// two tables behind one IN cannot be made so by the setting.
	c.add("(received_at, id) GLOBAL IN (SELECT received_at, id FROM events WHERE bothelp_user_id IN {} UNION ALL SELECT received_at, id FROM events WHERE messenger_user_id IN {})",
		"Array(String)", known)
}

// addFields is the condition that an event has all of these custom fields, in any spelling.
func (c *conditions) addFields(fields map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		// Not fields[name]: there an absent field is like an empty one, and the name '' is not always found. search_text has the name
		// and the value one after the other; where it has not, nothing needs to be normalized.
		key, value := c.bind("String", name), c.bind("String", fields[name])
		c.require("if(position(search_text, " + Normalized("concat("+key+", ' ', "+value+")") + ") > 0, arrayExists((k, v) -> " +
			Normalized("k") + " = " + Normalized(key) + " AND " + Normalized("v") + " = " + Normalized(value) + ", mapKeys(fields), mapValues(fields)), false)")
	}
}

// identified is the condition that an event has one of these ids. When they tell when to look, only that is looked at.
func (c *conditions) identified(ids []uuid.UUID) {
	if from, to, ok := event.IDRange(ids); ok {
		c.add("received_at >= {}", "DateTime64(6,'UTC')", micros(from))
		c.add("received_at <= {}", "DateTime64(6,'UTC')", micros(to))
	}
	c.add("id IN {}", "Array(UUID)", uuidStrings(ids))
}

// addAlike is the condition that a column has one of the values, in any spelling of it.
func (c *conditions) addAlike(column string, values []string) {
	c.add("has(arrayMap(v -> "+Normalized("v")+", {}), "+Normalized(column)+")", "Array(String)", values)
}

// deliveriesTo is a condition over the table deliveries: of events to an endpoint, live and in replays, that can be
// selected. The bounds of time skip parts, and granules within a replay.
func (c *conditions) deliveriesTo(endpoint string, sel event.Selection) string {
	term := "endpoint = " + c.bind("String", endpoint) + " AND " + made
	from, to := bounds(sel)
	if from != nil {
		term += " AND event_received_at >= " + c.bind("DateTime64(6,'UTC')", micros(*from))
	}
	if to != nil {
		term += " AND event_received_at <= " + c.bind("DateTime64(6,'UTC')", micros(*to))
	}
	return term
}

// bounds are the times between which the selected events were received, both included; nil where there is none.
func bounds(sel event.Selection) (from, to *time.Time) {
	from, to = sel.From, sel.Until
	if first, last, ok := event.IDRange(sel.IDs); ok {
		if from == nil || from.Before(first) {
			from = &first
		}
		if to == nil || to.After(last) {
			to = &last
		}
	}
	return from, to
}

// bodyGone is the condition that an event's body has expired: it had one, and only the hash is left.
// event.Received.BodyGone says the same in Go. ClickHouse keeps the lengths of texts apart, so that it reads no body for it.
var bodyGone = "(body = '' AND body_sha256 != '" + hex.EncodeToString(event.EmptyHash[:]) + "')"
