package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// PlanRequest describes a replay.
type PlanRequest struct {
	Selection event.Selection
	// Retries selects the failed deliveries whose events are sent again: all live ones, or all of one replay. nil is
	// none: the replay is of all events of the selection.
	Retries *event.DeliverySelection
	// Except selects failed deliveries whose events another replay to the endpoint will have sent before.
	Except   []event.DeliverySelection
	Endpoint string
	Mode     event.Mode // zero is event.ModeAll
	// IncludeRejected also sends the selected rejected events that are stored as a whole.
	IncludeRejected bool
}

// Plan is the effect that a replay would have. Each event of the selection that may be sent is in exactly one of
// Delivered, OnTheirWay, Repeats, BodiesGone, Forgotten and the rest. Count is the rest and, with event.ModeAll, also
// those delivered and on their way.
type Plan struct {
	Count      uint64 `json:"count" doc:"How many events would be sent."`
	Delivered  uint64 `json:"delivered" doc:"How many of the selected events were already delivered to the endpoint."`
	OnTheirWay uint64 `json:"on_their_way" doc:"How many are on their way there: live, or by an unfinished replay."`
	Repeats    uint64 `json:"repeats" doc:"How many are duplicates sent by BotHelp. They are left out unless selected by id."`
	BodiesGone uint64 `json:"bodies_gone" doc:"How many have no body any more, because it is past its retention; they are never sent."`
	// Forgotten are events past the retention of deliveries: whether the endpoint received them is unknown. They are
	// left out with event.ModeUndelivered; with event.ModeAll there are none.
	Forgotten uint64 `json:"forgotten" doc:"How many are older than the retention of deliveries, so it is unknown whether they were delivered; the mode undelivered leaves them out."`
	Rejected  uint64 `json:"rejected" doc:"How many of those that would be sent were rejected; none without include_rejected."`

	First time.Time     `json:"first,omitzero" doc:"The time of receipt of the first event; absent without events."`
	Last  time.Time     `json:"last,omitzero" doc:"The time of receipt of the last event; absent without events."`
	Parts []PlanPart    `json:"parts" doc:"The same by day, source and step."`
	Heads []event.Event `json:"-"` // the first few, in order of arrival, without headers and body
}

// PlanPart is the share of one source, step and day in a plan.
type PlanPart struct {
	Source string `json:"source" doc:"The source."`
	Step   string `json:"step" doc:"The step; empty for none."`
	Day    string `json:"day" doc:"The day of receipt, UTC."`
	Count  uint64 `json:"count" doc:"How many events."`
}

// planHeads is the number of events that a plan shows.
const planHeads = 10

// PlanReplay returns what a replay would send now.
func (s *Store) PlanReplay(ctx context.Context, req PlanRequest) (plan Plan, err error) {
	where, err := req.candidates(ctx, s)
	if err != nil {
		return plan, err
	}
	groups := req.groups(where)
	cases := ""
	for _, g := range groups {
		cases += g.condition + ", '" + g.name + "',\n "
	}
	sql := fmt.Sprintf(`SELECT source, step, toString(toDate(received_at)), multiIf(%s'%s') AS part, uniqExact(id), uniqExactIf(id, verdict != 'accepted'), min(received_at), max(received_at)
		FROM %s WHERE %s GROUP BY ALL ORDER BY 3, 1, 2`, cases, groupRest, where.events(), where)
	rows, err := collect(where.limited(ctx), s.asking(where).patient, "plan replay", sql, where.args, scanPlanRow)
	if err != nil {
		return plan, where.blame(err)
	}
	for _, row := range rows {
		left := slices.ContainsFunc(groups, func(g group) bool { return g.name == row.group && g.left })
		plan.add(row, !left)
	}
	if where, err = req.sendable(ctx, s); err != nil {
		return plan, err
	}
	plan.Heads, err = s.queryEvents(ctx, where, briefColumns,
		fmt.Sprintf("ORDER BY received_at, id LIMIT 1 BY id LIMIT %d", planHeads))
	return plan, err
}

// planRow is a plan's share of a source, step and day that is in one group.
type planRow struct {
	PlanPart
	group       string
	rejected    uint64
	first, last time.Time
}

func scanPlanRow(rows driver.Rows, r *planRow) error {
	return rows.Scan(&r.Source, &r.Step, &r.Day, &r.group, &r.Count, &r.rejected, &r.first, &r.last)
}

// add counts a row, whose events are sent or left out.
func (p *Plan) add(row planRow, sent bool) {
	counts := map[string]*uint64{groupRepeats: &p.Repeats, groupDelivered: &p.Delivered, groupOnTheirWay: &p.OnTheirWay,
		groupBodiesGone: &p.BodiesGone, groupForgotten: &p.Forgotten}
	if n := counts[row.group]; n != nil {
		*n += row.Count
	}
	if !sent {
		return
	}
	if p.Count == 0 || row.first.Before(p.First) {
		p.First = row.first
	}
	if row.last.After(p.Last) {
		p.Last = row.last
	}
	p.Count += row.Count
	p.Rejected += row.rejected
	last := len(p.Parts) - 1
	if last >= 0 && p.Parts[last].Day == row.Day && p.Parts[last].Source == row.Source &&
		p.Parts[last].Step == row.Step {
		p.Parts[last].Count += row.Count
		return
	}
	p.Parts = append(p.Parts, row.PlanPart)
}
