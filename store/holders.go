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
	Since time.Time // when it asked for the shard; later than that of every holder that asked before
	// SeenAt changes each time that the holder is seen. Whether a holder is alive shows in the change alone: the clock that it
	// was taken from may have been wrong.
	SeenAt time.Time
}

// SeeHolder notes that a holder is alive, or that it lets go of the shard. Both times are the server's, or just behind the
// latest that is stored where the server's clock was set back. The zero Since is now.
func (s *Store) SeeHolder(ctx context.Context, shard string, h Holder, released bool) error {
	c := &conditions{}
	name, since := c.bind("String", shard), c.bind("Int64", microsOf(h.Since))
	behind := func(column string) string {
		return "greatest(now64(6), (SELECT max(" + column + ") + toIntervalMicrosecond(1) FROM holders WHERE shard = " + name + "))"
	}
	sql := fmt.Sprintf(`INSERT INTO holders (shard, holder, host, since, seen_at, released)
		SELECT %s, %s, %s, if(%s = 0, %s, fromUnixTimestamp64Micro(%s)), %s, %s`,
		name, c.bind("String", h.ID), c.bind("String", h.Host), since, behind("since"), since, behind("seen_at"), c.bind("Bool", released))
	return explain("hold shard "+shard, s.conn.Exec(ctx, sql, c.args...))
}

// Holders returns the holders of a shard that have not let go of it, alive or not, the one that asked first in front.
func (s *Store) Holders(ctx context.Context, shard string) ([]Holder, error) {
	where := &conditions{}
	where.add("shard = {}", "String", shard)
	where.require("NOT released")
	return collect(ctx, s.conn, "read holders of shard "+shard, "SELECT holder, host, since, seen_at FROM holders FINAL WHERE "+where.String()+" ORDER BY since, holder",
		where.args, func(rows driver.Rows, h *Holder) error { return rows.Scan(&h.ID, &h.Host, &h.Since, &h.SeenAt) })
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
