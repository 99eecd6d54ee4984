package store

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"

	"hooktape/event"
)

// events is the FROM clause that goes with the conditions of a selection: the table, or those of its rows for which the
// selection's own expression is true. The expression has a scope of its own and stands on lines of its own. So a comment
// at its end reaches nothing of ours, and a name that it gives to something is unknown outside or an error, but never what
// a condition of ours means by that name.
func (c *conditions) events() string {
	if c.expression == "" {
		return "events"
	}
	return "(SELECT * FROM events WHERE (\n" + c.expression + "\n))"
}

// matching turns a selection into conditions over the table events. The error is an *ExpressionError.
func matching(sel event.Selection) (*conditions, error) {
	c := &conditions{expression: sel.Where}
	if sel.Where != "" {
		if err := checkExpression(sel.Where); err != nil {
			return nil, err
		}
	}
	if sel.From != nil {
		c.add("received_at >= {}", "DateTime64(6,'UTC')", micros(*sel.From))
	}
	if sel.To != nil {
		c.add("received_at < {}", "DateTime64(6,'UTC')", micros(*sel.To))
	}
	addIn(c, "source", sel.Sources)
	addIn(c, "step", sel.Steps)
	addIn(c, "kind", sel.Kinds)
	addIn(c, "verdict", sel.Verdicts)
	addIn(c, "channel", sel.Channels)
	addIn(c, "utm_source", sel.UTMSources)
	addIn(c, "utm_medium", sel.UTMMediums)
	addIn(c, "utm_campaign", sel.UTMCampaigns)
	addIn(c, "utm_content", sel.UTMContents)
	addIn(c, "utm_term", sel.UTMTerms)
	if len(sel.IDs) > 0 {
		c.identified(sel.IDs)
	}
	if len(sel.Subscribers) > 0 {
		// An empty id is nobody's: without the filter, "" would be everyone who lacks one of the two.
		known := slices.DeleteFunc(slices.Clone(sel.Subscribers), func(id string) bool { return id == "" })
		// Each of the two columns has an index, and ClickHouse uses neither where they are joined by OR. GLOBAL is for clusters, where
		// two tables behind one IN cannot be made so by the setting.
		c.add("(received_at, id) GLOBAL IN (SELECT received_at, id FROM events WHERE bothelp_user_id IN {} UNION ALL SELECT received_at, id FROM events WHERE messenger_user_id IN {})",
			"Array(String)", texts(known))
	}
	for _, name := range slices.Sorted(maps.Keys(sel.Fields)) {
		// Not fields[name]: there an absent field is like an empty one, and the name '' is not always found.
		key := c.bind("String", name)
		c.add("arrayExists((k, v) -> k = "+key+" AND v = {}, mapKeys(fields), mapValues(fields))", "String", sel.Fields[name])
	}
	if sel.Text != "" {
		c.contains("body", spellings(sel.Text))
	}
	c.addFates(sel)
	return c, nil
}

// contains is the condition that a column has one of the texts in it. It searches for one text after the other: on processors
// without AVX-512, multiSearchAny of ClickHouse 26.7 misses matches where it looks for texts of several kinds.
func (c *conditions) contains(column string, texts []string) {
	terms := make([]string, len(texts))
	for i, text := range texts {
		terms[i] = "position(" + column + ", " + c.bind("String", text) + ") > 0"
	}
	c.require("(" + strings.Join(terms, " OR ") + ")")
}

// spellings are the ways in which a text may stand in a body: as it is and, where it is not of ASCII alone, as JSON and forms
// write it that were made to be. So a name is found by its letters, however the body spells them.
func spellings(text string) []string {
	small, capital := escaped(text, `\u%04x`), escaped(text, `\u%04X`)
	if small == text {
		return []string{text}
	}
	return []string{text, small, capital, url.QueryEscape(text)}
}

// escaped has what is not ASCII written by a format for UTF-16, as JSON does.
func escaped(text, format string) string {
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		if unit < 0x80 {
			b.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&b, format, unit)
		}
	}
	return b.String()
}

// identified is the condition that an event has one of these ids. When they tell when to look, only that is looked at.
func (c *conditions) identified(ids []uuid.UUID) {
	if from, to, ok := event.IDRange(ids); ok {
		c.add("received_at >= {}", "DateTime64(6,'UTC')", micros(from))
		c.add("received_at <= {}", "DateTime64(6,'UTC')", micros(to))
	}
	c.add("id IN {}", "Array(UUID)", uuidStrings(ids))
}

// addFates adds the conditions about what became of an event at an endpoint.
func (c *conditions) addFates(sel event.Selection) {
	if sel.UndeliveredTo != "" {
		c.require(c.remembered(sel.UndeliveredTo), "id NOT IN (SELECT event_id FROM deliveries FINAL WHERE "+c.deliveriesTo(sel.UndeliveredTo, sel)+" AND state = 'delivered')")
	}
	if sel.FailedAt != "" {
		c.require("id IN (SELECT event_id FROM deliveries FINAL WHERE " + c.deliveriesTo(sel.FailedAt, sel) +
			" GROUP BY event_id HAVING argMax(state, (updated_at, version)) = 'failed')")
	}
}

// deliveriesTo is a condition over the table deliveries: of events to an endpoint, live and in replays, that can be
// selected. The bounds of time skip parts, and granules within a replay.
func (c *conditions) deliveriesTo(endpoint string, sel event.Selection) string {
	term := "endpoint = " + c.bind("String", endpoint)
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
	from, to = sel.From, sel.To
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
