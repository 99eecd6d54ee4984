package store

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"hooktape/internal/event"
)

// EventIDs returns at most limit ids of selected events that begin with a text.
func (s *Store) EventIDs(ctx context.Context, sel event.Selection, beginning string, limit int) ([]string, error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	return s.ids(ctx, "toString(id)", where.events(), where, beginning, limit)
}

// DeliveryIDs returns at most limit ids of selected deliveries that begin with a text.
func (s *Store) DeliveryIDs(ctx context.Context, sel event.DeliverySelection, beginning string, limit int) ([]string,
	error) {
	where, err := deliveriesMatching(sel)
	if err != nil {
		return nil, err
	}
	return s.ids(ctx, "concat(toString(event_id), '-', "+fork+")", "deliveries", where, beginning, limit)
}

// ReplayIDs returns at most limit ids of replays that begin with a text.
func (s *Store) ReplayIDs(ctx context.Context, beginning string, limit int) ([]string, error) {
	return s.ids(ctx, "toString(id)", "replays", &conditions{}, beginning, limit)
}

func (s *Store) ids(ctx context.Context, id, table string, where *conditions, beginning string, limit int) ([]string,
	error) {
	where.add("startsWith("+id+", {})", "String", beginning)
	return collect(ctx, s.conn, "find ids",
		fmt.Sprintf("SELECT DISTINCT %s AS found FROM %s WHERE %s ORDER BY found LIMIT %d", id, table, where, limit),
		where.args, func(rows driver.Rows, id *string) error { return rows.Scan(id) })
}
