package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	"hooktape/internal/event"
)

// subscriber is whom an event is about, as an expression over the table events: what Delivery.Subscriber is made of.
const subscriber = "multiIf(bothelp_user_id != '', bothelp_user_id, messenger_user_id != '', concat('m:', messenger_user_id), toString(id))"

// eventPosition is event.Event.Position as an expression over the table events.
const eventPosition = "addMicroseconds(received_at, position_offset)"

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
