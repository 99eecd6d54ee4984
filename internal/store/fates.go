package store

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"hooktape/internal/event"
)

// DeliverySummary is what became of an event at an endpoint, live and in replays: delivered, if one of them got there; else the state of
// the delivery that changed last.
type DeliverySummary struct {
	EventID  uuid.UUID
	Endpoint string
	State    event.DeliveryState
}

// DeliverySummaries returns the fates of events that were received between two times, both included, by endpoint.
func (s *Store) DeliverySummaries(ctx context.Context, ids []uuid.UUID, from, to time.Time) ([]DeliverySummary, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where := &conditions{}
	where.add("event_received_at >= {}", "DateTime64(6,'UTC')", micros(from))
	where.add("event_received_at <= {}", "DateTime64(6,'UTC')", micros(to))
	where.add("event_id IN {}", "Array(UUID)", uuidStrings(ids))
	where.require(made)
	return collect(ctx, s.conn, "read deliveries", "SELECT event_id, endpoint, if(countIf(state = 'delivered') > 0, 'delivered', argMax(state, (updated_at, version))) FROM deliveries WHERE "+where.String()+
		" GROUP BY event_id, endpoint ORDER BY endpoint", where.args, func(rows driver.Rows, f *DeliverySummary) error {
		return rows.Scan(&f.EventID, &f.Endpoint, (*string)(&f.State))
	})
}
