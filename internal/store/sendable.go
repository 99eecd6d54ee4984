package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/event"
)

// openState is the condition that a delivery is not final.
var openState = "(state NOT IN ('" + strings.Join(texts(event.FinalStates), "', '") + "'))"

// original is the condition that an event is not the sender's own retry of an earlier one.
const original = "duplicate_of = toUUID('00000000-0000-0000-0000-000000000000')"

// accepted are the conditions for the selected events that may ever be sent anywhere.
func (req PlanRequest) accepted(ctx context.Context, s *Store) (*conditions, error) {
	c, err := s.matching(ctx, req.Selection)
	if err == nil {
		c.require("verdict = 'accepted'")
	}
	return c, err
}

// sendable are the conditions for the events that a replay sends.
func (req PlanRequest) sendable(ctx context.Context, s *Store) (*conditions, error) {
	c, err := req.accepted(ctx, s)
	if err != nil {
		return nil, err
	}
	if !req.repeatsToo() {
		c.require(original)
	}
	c.require("NOT " + bodyGone)
	if req.Mode == event.ModeUndelivered {
		c.require(c.remembered(req.Endpoint), "id NOT IN ("+req.having(c, "(state = 'delivered' OR "+underWay+")")+")")
	}
	return c, nil
}

// repeatsToo: who names an event by its id means this one.
func (req PlanRequest) repeatsToo() bool { return len(req.Selection.IDs) > 0 }

// fate is an expression that sorts the selected events. With event.ModeUndelivered one that was delivered is not counted
// as one without a body, with event.ModeAll it is, for it would be sent.
func (req PlanRequest) fate(c *conditions) string {
	repeat := "NOT " + original
	if req.repeatsToo() {
		repeat = "false"
	}
	cases := []string{repeat, fateRepeat, bodyGone, fateBodyGone}
	if req.Endpoint != "" {
		delivered := []string{"id IN (" + req.having(c, "state = 'delivered'") + ")", fateDelivered, "id IN (" + req.having(c, underWay) + ")", fateOnItsWay}
		if req.Mode == event.ModeUndelivered {
			cases = slices.Concat(cases[:2], delivered, []string{"NOT " + c.remembered(req.Endpoint), fateForgotten}, cases[2:])
		} else {
			cases = append(cases, delivered...)
		}
	}
	text := "multiIf("
	for i := 0; i < len(cases); i += 2 {
		text += cases[i] + ", '" + cases[i+1] + "',\n "
	}
	return text + "'" + fateOpen + "')"
}

// having selects the ids of events with a delivery to the endpoint for which a condition is true.
func (req PlanRequest) having(c *conditions, condition string) string {
	return "SELECT event_id FROM deliveries FINAL WHERE " + c.deliveriesTo(req.Endpoint, req.Selection) + " AND " + condition
}

// underWay is the condition that a delivery will still be tried: it is open, and live or of a replay that is not over.
var underWay = "(" + openState + " AND (" + live + " OR replay_id GLOBAL IN (" + openReplays + ")))"

// live is the condition that a delivery is of no replay.
const live = "replay_id = toUUID('00000000-0000-0000-0000-000000000000')"

// openReplays are the replays that may still send something: those that somebody has just cancelled are not among them.
// (GLOBAL is for clusters, see matching.)
const openReplays = "SELECT id FROM replays FINAL WHERE state IN ('running', 'paused') AND id GLOBAL NOT IN (SELECT toUUIDOrZero(target) FROM commands WHERE action = 'cancel')"

// made is the condition that a delivery is live, was tried, or is of a replay that exists: one that is being frozen does not exist
// yet, and one whose maker died while it froze it never will.
const made = "(" + live + " OR attempts > 0 OR replay_id GLOBAL IN (SELECT id FROM replays))"

// freezeLimits hold for freezing with an expression of the user's, which has passed under expressionLimits before.
// Writing needs time beside the reading.
var freezeLimits = clickhouse.Settings{"max_execution_time": 300, "max_memory_usage": 2 << 30}

// FreezeReplay writes a pending delivery for every stored event that the replay sends and that was received before it was made,
// and returns their number. One statement does it. Until the replay itself is saved, nothing sends or shows these deliveries:
// those of a replay that never is are purged after a day.
func (s *Store) FreezeReplay(ctx context.Context, r event.Replay) (total uint64, err error) {
	where, err := (PlanRequest{r.Selection, r.Endpoint, r.Mode}).sendable(ctx, s)
	if err != nil {
		return 0, err
	}
	where.add("received_at < {}", "DateTime64(6,'UTC')", micros(r.CreatedAt))
	if err := s.try(ctx, where); err != nil {
		return 0, err
	}
	into := fmt.Sprintf(`INSERT INTO deliveries (replay_id, endpoint, event_received_at, event_position, event_id, state, updated_at, subscriber, created_at)
		SELECT %s, %s, received_at, %s, id, 'pending', now64(6), %s, now64(6)`, where.bind("UUID", r.ID.String()), where.bind("String", r.Endpoint), eventPosition, subscriber)
	settings := clickhouse.Settings{}
	if where.expression != "" {
		settings = freezeLimits
	}
	sql := fmt.Sprintf("%s FROM %s WHERE %s", into, where.events(), where)
	if err := s.patient.Exec(with(ctx, settings), sql, where.args...); err != nil {
		return 0, where.blame(explain("freeze selection", err))
	}
	counts, err := s.CountDeliveries(ctx, r.ID)
	for _, n := range counts {
		total += n
	}
	return total, err
}

// try evaluates an expression read-only and under limits. The statement that freezes writes, so it cannot be read-only:
// it may only ever see an expression that has passed here.
func (s *Store) try(ctx context.Context, where *conditions) error {
	if where.expression == "" {
		return nil
	}
	sql := fmt.Sprintf("SELECT count() FROM %s WHERE %s", where.events(), where)
	return where.blame(explain("try the expression", s.askingPatiently(where).Exec(where.limited(ctx), sql, where.args...)))
}
