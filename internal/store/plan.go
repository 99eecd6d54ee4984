package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// PlanRequest is what a replay would send, and where to.
type PlanRequest struct {
	Selection event.Selection
	Endpoint  string
	Mode      event.Mode // zero is event.ModeAll
}

// Plan is what a replay would do. Of the accepted events selected, each is in exactly one of Delivered, OnTheirWay,
// Repeats, BodiesGone, Forgotten and the rest; Count is the rest, and with event.ModeAll those delivered and on their way
// too.
type Plan struct {
	Count      uint64 `json:"count"`        // events that would be sent
	Delivered  uint64 `json:"delivered"`    // taken by the endpoint already, live or in a replay
	OnTheirWay uint64 `json:"on_their_way"` // not taken yet, but live delivery or a replay that is not over will bring them
	Repeats    uint64 `json:"repeats"`      // the sender's own retries, left out unless the selection names events by id
	BodiesGone uint64 `json:"bodies_gone"`  // their bodies are past their retention: never sent
	// Forgotten are past the retention of deliveries: whether the endpoint has taken them is not known any more. They are
	// left out with event.ModeUndelivered, and none with event.ModeAll.
	Forgotten uint64 `json:"forgotten"`

	First time.Time     `json:"first"` // of those that would be sent, as are Last, Parts and Heads
	Last  time.Time     `json:"last"`
	Parts []PlanPart    `json:"parts"`
	Heads []event.Event `json:"-"` // the first few, in order of arrival, without headers and body
}

// PlanPart is a plan's share of one source, step and day.
type PlanPart struct {
	Source string `json:"source"`
	Step   string `json:"step"`
	Day    string `json:"day"` // of receipt, in UTC, such as 2026-03-01
	Count  uint64 `json:"count"`
}

// planHeads is how many events a plan shows.
const planHeads = 10

// PlanReplay tells what a replay would send if it were made now.
func (s *Store) PlanReplay(ctx context.Context, req PlanRequest) (plan Plan, err error) {
	where, err := req.accepted(ctx, s)
	if err != nil {
		return plan, err
	}
	sql := fmt.Sprintf(`SELECT source, step, toString(toDate(received_at)), %s AS fate, uniqExact(id), min(received_at), max(received_at)
		FROM %s WHERE %s GROUP BY ALL ORDER BY 3, 1, 2`, req.fate(where), where.events(), where)
	parts, err := collect(where.limited(ctx), s.askingPatiently(where), "plan replay", sql, where.args, scanFated)
	if err != nil {
		return plan, where.blame(err)
	}
	for _, part := range parts {
		plan.add(part, req.Mode)
	}
	if where, err = req.sendable(ctx, s); err != nil {
		return plan, err
	}
	plan.Heads, err = s.queryEvents(ctx, where, briefColumns, fmt.Sprintf("ORDER BY received_at, id LIMIT 1 BY id LIMIT %d", planHeads))
	return plan, err
}

// The fates of an event at an endpoint, as fate tells them.
const (
	fateRepeat    = "repeat"
	fateDelivered = "delivered"
	fateOnItsWay  = "on its way"
	fateBodyGone  = "body gone"
	fateForgotten = "forgotten"
	fateOpen      = "open"
)

type fated struct {
	PlanPart
	fate        string
	first, last time.Time
}

func scanFated(rows driver.Rows, f *fated) error {
	return rows.Scan(&f.Source, &f.Step, &f.Day, &f.fate, &f.Count, &f.first, &f.last)
}

// add counts a part that has one fate.
func (p *Plan) add(part fated, mode event.Mode) {
	switch part.fate {
	case fateRepeat:
		p.Repeats += part.Count
		return
	case fateBodyGone:
		p.BodiesGone += part.Count
		return
	case fateForgotten:
		p.Forgotten += part.Count
		return
	case fateDelivered:
		p.Delivered += part.Count
	case fateOnItsWay:
		p.OnTheirWay += part.Count
	}
	if mode == event.ModeUndelivered && part.fate != fateOpen {
		return
	}
	if p.Count == 0 || part.first.Before(p.First) {
		p.First = part.first
	}
	if part.last.After(p.Last) {
		p.Last = part.last
	}
	p.Count += part.Count
	last := len(p.Parts) - 1
	if last >= 0 && p.Parts[last].Day == part.Day && p.Parts[last].Source == part.Source && p.Parts[last].Step == part.Step {
		p.Parts[last].Count += part.Count
		return
	}
	p.Parts = append(p.Parts, part.PlanPart)
}
