package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/event"
)

// openState is the condition that a delivery is not final.
var openState = "NOT " + inStates("state", event.FinalStates)

// inStates returns the condition that a column has one of the states.
func inStates[T ~string](column string, states []T) string {
	return "(" + column + " IN ('" + strings.Join(event.Texts(states), "', '") + "'))"
}

// noUUID is the zero UUID: the replay of live deliveries, and the original of an event that is no duplicate.
const noUUID = "toUUID('00000000-0000-0000-0000-000000000000')"

// original is the condition that an event is no duplicate: not the sender's own retry of an earlier one.
const original = "(duplicate_of = " + noUUID + ")"

// candidates returns the conditions for the selected events that may ever be sent.
func (req PlanRequest) candidates(ctx context.Context, s *Store) (*conditions, error) {
	c, err := s.matching(ctx, req.Selection)
	if err != nil {
		return nil, err
	}
	if req.Retries != nil {
		term, err := c.retried(*req.Retries)
		if err != nil {
			return nil, err
		}
		c.require(term)
	}
	for _, sel := range req.Except {
		term, err := c.retried(sel)
		if err != nil {
			return nil, err
		}
		c.require("NOT " + term)
	}
	switch {
	case req.IncludeRejected:
		c.require("(verdict = 'accepted' OR " + c.sendableRejected(req.Selection) + ")")
	default:
		c.require("verdict = 'accepted'")
	}
	return c, nil
}

// group is a part of these events that a plan counts separately.
type group struct {
	name      string
	condition string
	left      bool // left out
}

// The names of groups. Events in none of them are in groupRest.
const (
	groupRepeats    = "repeats"
	groupDelivered  = "delivered"
	groupOnTheirWay = "on their way"
	groupBodiesGone = "bodies gone"
	groupForgotten  = "forgotten"
	groupRest       = "rest"
)

// groups is the rule that says which of the candidates a replay sends. An event is in the first group whose condition
// it meets. With event.ModeAll the bodies come before the deliveries, because an event that was delivered is sent again
// only if it has its body.
func (req PlanRequest) groups(c *conditions) (groups []group) {
	if len(req.Selection.IDs) == 0 && req.Retries == nil { // an id means this event, duplicate or not
		groups = append(groups, group{groupRepeats, "NOT " + original, true})
	}
	bodies := group{groupBodiesGone, bodyGone, true}
	undelivered := req.Mode == event.ModeUndelivered
	if !undelivered {
		groups = append(groups, bodies)
	}
	if req.Endpoint != "" {
		groups = append(groups,
			group{groupDelivered, "id IN (" + req.having(c, "state = 'delivered'") + ")", undelivered},
			group{groupOnTheirWay, "id IN (" + req.having(c, underWay) + ")", undelivered})
	}
	if undelivered {
		groups = append(groups, group{groupForgotten, "NOT " + c.remembered(req.Endpoint), true}, bodies)
	}
	return groups
}

// sendable returns the conditions for the events that a replay sends.
func (req PlanRequest) sendable(ctx context.Context, s *Store) (*conditions, error) {
	c, err := req.candidates(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, g := range req.groups(c) {
		if g.left {
			c.require("NOT (" + g.condition + ")")
		}
	}
	return c, nil
}

// having selects the ids of events that have a delivery to the endpoint with this condition.
func (req PlanRequest) having(c *conditions, condition string) string {
	return "SELECT event_id FROM deliveries FINAL WHERE " + c.deliveriesTo(req.Endpoint, req.Selection) + " AND " +
		condition
}

// underWay is the condition that a delivery will still be tried: it is open, and live or of a replay that is not final.
var underWay = "(" + openState + " AND (" + live + " OR replay_id GLOBAL IN (" + openReplays + ")))"

// live is the condition that a delivery belongs to no replay.
const live = "replay_id = " + noUUID

// openReplays selects the replays that may still send; a replay with a new command to cancel may not. GLOBAL is for
// clusters, see addSubscribers.
var openReplays = "SELECT id FROM replays FINAL WHERE NOT " + finalReplay +
	" AND id GLOBAL NOT IN (SELECT toUUIDOrZero(target) FROM commands WHERE action = 'cancel')"

// finalReplay is the condition that a replay is final; see endState.
var finalReplay = inStates("state", append([]event.ReplayState{"done"}, event.FinalReplayStates...))

// made is the condition that a delivery is live, was tried, or belongs to a replay that exists. A replay does not
// exist while it is being frozen, and never will if its creator died meanwhile.
const made = "(" + live + " OR attempts > 0 OR replay_id GLOBAL IN (SELECT id FROM replays))"

// freezeLimits apply to freezing with a person's expression, which has passed under expressionLimits before. Writing
// needs more time than reading.
var freezeLimits = clickhouse.Settings{"max_execution_time": 300, "max_memory_usage": 2 << 30}

// FreezeReplay stores a pending delivery for every stored event that the replay sends and that was received before its
// creation, and returns their number. It is one statement. Until the replay itself is saved, nothing sends or shows
// these deliveries; if it never is, they are purged after a day.
func (s *Store) FreezeReplay(ctx context.Context, r event.Replay) (total uint64, err error) {
	where, err := (PlanRequest{Selection: r.Selection, Retries: r.Retries, Endpoint: r.Endpoint, Mode: r.Mode,
		IncludeRejected: r.IncludeRejected}).sendable(ctx, s)
	if err != nil {
		return 0, err
	}
	where.addTime("received_at < {}", r.CreatedAt)
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

// try evaluates an expression read-only and under limits. The statement that freezes writes, so it cannot be
// read-only: it must only get an expression that has passed here.
func (s *Store) try(ctx context.Context, where *conditions) error {
	if where.expression == "" {
		return nil
	}
	sql := fmt.Sprintf("SELECT count() FROM %s WHERE %s", where.events(), where)
	return where.blame(explain("try the expression", s.asking(where).patient.Exec(where.limited(ctx), sql,
		where.args...)))
}
