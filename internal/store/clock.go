package store

import (
	"context"
	"time"
)

// Now is the server's clock, by which stored_at is written.
func (s *Store) Now(ctx context.Context) (now time.Time, err error) {
	err = s.conn.QueryRow(ctx, "SELECT now64(3, 'UTC')").Scan(&now)
	return now, explain("ask ClickHouse for the time", err)
}
