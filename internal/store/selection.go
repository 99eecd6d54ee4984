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

// events returns the FROM clause for the conditions of a selection: the table, or those of its rows that match the
// selection's own expression. The expression has a scope and lines of its own. A comment at its end therefore affects
// nothing else, and a name that it defines is unknown outside or an error, but never replaces a column in a condition
// of ours. The asterisk leaves out computed columns, so they follow it.
func (c *conditions) events() string {
	if c.expression == "" {
		return "events"
	}
	return "(SELECT *, events.search_text AS search_text, events.search_body AS search_body FROM events WHERE (\n" +
		c.expression + "\n))"
}

// matching turns a selection into conditions over the table events. An error in its expression is an *ExpressionError.
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
			return nil, fmt.Errorf("the filter %s has no column and no condition", f.Name)
		default:
			conditionOf[f.Name](c, sel)
		}
	}
	if !slices.Equal(sel.Verdicts, []event.Verdict{event.Accepted}) {
		c.require("NOT " + c.superseded(sel))
	}
	return c, nil
}

// conditionOf has the conditions of filters that do not compare one column.
var conditionOf = map[string]func(*conditions, event.Selection){
	"from": func(c *conditions, sel event.Selection) {
		c.addTime("received_at >= {}", *sel.From)
	},
	"until": func(c *conditions, sel event.Selection) {
		c.addTime("received_at < {}", *sel.Until)
	},
	"id":         func(c *conditions, sel event.Selection) { c.identified(sel.IDs) },
	"subscriber": func(c *conditions, sel event.Selection) { c.addSubscribers(sel.Subscribers) },
	"field":      func(c *conditions, sel event.Selection) { c.addFields(sel.Fields) },
	"text":       func(c *conditions, sel event.Selection) { c.addText(sel.Text) },
	"rejected":   func(c *conditions, _ event.Selection) { c.require("verdict != 'accepted'") },
	"undelivered_to": func(c *conditions, sel event.Selection) {
		c.require(c.remembered(sel.UndeliveredTo),
			"id NOT IN (SELECT event_id FROM deliveries FINAL WHERE "+c.deliveriesTo(sel.UndeliveredTo,
				sel)+" AND state = 'delivered')")
	},
	"failed_at": func(c *conditions, sel event.Selection) {
		c.addFailed(c.deliveriesTo(sel.FailedAt, sel))
	},
	"failed": func(c *conditions, sel event.Selection) { c.addFailed(c.deliveriesOf(sel)) },
	"fallback": func(c *conditions, sel event.Selection) {
		c.addForwarded(sel, "fallback != '' AND hasAny({}, ['any', fallback])", event.Texts(sel.Fallbacks))
	},
	"broken_off": func(c *conditions, sel event.Selection) {
		c.addForwarded(sel, "fallback = '' AND has({}, outcome)", event.Texts(event.BrokenOutcomes))
	},
	"missing_key": func(c *conditions, sel event.Selection) {
		c.addForwarded(sel, "notEmpty(missing_keys) AND hasAny({}, arrayPushBack(missing_keys, 'any'))",
			sel.MissingKeys)
	},
}

// addSubscribers requires that an event is about one of these people. An empty id matches no event; as a value it
// would match everyone who lacks one of the two ids.
func (c *conditions) addSubscribers(ids []string) {
	known := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" })
	// Both columns have an index, and ClickHouse uses neither of them if OR joins them. GLOBAL is for clusters, where
	// the setting does not apply to two tables in one IN.
	c.add("(received_at, id) GLOBAL IN (SELECT received_at, id FROM events WHERE bothelp_user_id IN {} UNION ALL "+
		"SELECT received_at, id FROM events WHERE messenger_user_id IN {})",
		"Array(String)", known)
}

// addFields requires that an event has all of these custom fields, in any spelling.
func (c *conditions) addFields(fields map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		// fields[name] is no alternative: it returns '' for an absent field and does not always find the name ''.
		// search_text has the name and the value one after the other, so only events with both there need
		// normalization.
		key, value := c.bind("String", name), c.bind("String", fields[name])
		c.require("if(position(search_text, " + Normalized("concat("+key+", ' ', "+value+")") +
			") > 0, arrayExists((k, v) -> " +
			Normalized("k") + " = " + Normalized(key) + " AND " + Normalized("v") + " = " + Normalized(value) +
			", mapKeys(fields), mapValues(fields)), false)")
	}
}

// identified requires that an event has one of these ids. If the ids contain times, it limits the search to those.
func (c *conditions) identified(ids []uuid.UUID) {
	if from, to, ok := event.IDRange(ids); ok {
		c.addBetween("received_at", from, to)
	}
	c.add("id IN {}", "Array(UUID)", uuidStrings(ids))
}

// addAlike requires that a column has one of the values, in any spelling.
func (c *conditions) addAlike(column string, values []string) {
	c.add("has(arrayMap(v -> "+Normalized("v")+", {}), "+Normalized(column)+")", "Array(String)", values)
}

// addFailed requires that the last of an event's deliveries to an endpoint failed, of those that meet a condition.
func (c *conditions) addFailed(deliveries string) {
	c.require("id IN (SELECT event_id FROM deliveries FINAL WHERE " + deliveries +
		" GROUP BY event_id, endpoint HAVING argMax(state, (updated_at, version)) = 'failed')")
}

// deliveriesTo returns a condition over the table deliveries: those of selected events to an endpoint, live and in
// replays.
func (c *conditions) deliveriesTo(endpoint string, sel event.Selection) string {
	return "endpoint = " + c.bind("String", endpoint) + " AND " + c.deliveriesOf(sel)
}

// deliveriesOf returns the same condition for all endpoints. The bounds of time skip parts, and granules within a
// replay.
func (c *conditions) deliveriesOf(sel event.Selection) string {
	return made + c.receivedWithin("event_received_at", sel)
}

// receivedWithin returns terms that limit a column to the times of receipt that a selection allows.
func (c *conditions) receivedWithin(column string, sel event.Selection) (terms string) {
	from, to := bounds(sel)
	if from != nil {
		terms += " AND " + column + " >= " + c.bindTime(*from)
	}
	if to != nil {
		terms += " AND " + column + " <= " + c.bindTime(*to)
	}
	return terms
}

// bounds returns the first and last time of receipt that a selection allows, both included; nil where it has no limit.
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

// bodyGone is event.Received.BodyGone as a condition: the event had a body, and only the hash is left. ClickHouse
// stores the lengths of strings separately, so the condition reads no body.
var bodyGone = "(body = '' AND body_sha256 != '" + hex.EncodeToString(event.EmptyHash[:]) + "')"
