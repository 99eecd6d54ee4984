package store

import (
	"context"
	"fmt"
	"time"

	"hooktape/internal/event"
)

// ListStored returns selected events that were stored at a time or later, the last received first, without headers and
// body; at most limit. The index of stored_at skips all that is older.
func (s *Store) ListStored(ctx context.Context, sel event.Selection, since time.Time, limit int) ([]event.Event, error) {
	where, err := s.matching(ctx, sel)
	if err != nil {
		return nil, err
	}
	where.add("stored_at >= {}", "DateTime64(6,'UTC')", micros(since))
	return s.queryEvents(ctx, where, briefColumns, fmt.Sprintf("ORDER BY received_at DESC, id DESC LIMIT %d", limit))
}
