package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Holder is a process that delivers a shard, or waits to.
type Holder struct {
	ID    string // of its spool: a process that is started again over the same spool is the same holder
	Host  string
	Since time.Time // when it asked for the shard
}

// SeeHolder notes that a holder is alive, or that it lets go of the shard. All times are the server's, so that the clocks
// of the processes do not matter. The zero Since is now.
func (s *Store) SeeHolder(ctx context.Context, shard string, h Holder, released bool) error {
	c := &conditions{}
	since := c.bind("Int64", microsOf(h.Since))
	sql := fmt.Sprintf(`INSERT INTO holders (shard, holder, host, since, seen_at, released)
		SELECT %s, %s, %s, if(%s = 0, now64(6), fromUnixTimestamp64Micro(%s)), now64(6), %s`,
		c.bind("String", shard), c.bind("String", h.ID), c.bind("String", h.Host), since, since, c.bind("Bool", released))
	return explain("hold shard "+shard, s.conn.Exec(ctx, sql, c.args...))
}

// Holders returns the holders of a shard that were seen within a time, the one that asked first in front.
func (s *Store) Holders(ctx context.Context, shard string, within time.Duration) ([]Holder, error) {
	where := &conditions{}
	where.add("shard = {}", "String", shard)
	where.require("NOT released", "seen_at > now64(6) - toIntervalMillisecond("+where.bind("UInt32", within.Milliseconds())+")")
	return collect(ctx, s.conn, "read holders of shard "+shard, "SELECT holder, host, since FROM holders FINAL WHERE "+where.String()+" ORDER BY since, holder",
		where.args, func(rows driver.Rows, h *Holder) error { return rows.Scan(&h.ID, &h.Host, &h.Since) })
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
