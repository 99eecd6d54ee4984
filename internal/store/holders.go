package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DeliveryLease is the lease of the process that delivers. (Versions that shared delivery among several processes called the
// whole of it so.)
const DeliveryLease = "1/1"

// Holder is a process that holds a lease, or asks for it.
type Holder struct {
	ID    string // a process that is started again under the same one is the same holder
	Host  string
	Since time.Time // when it asked for the lease; later than that of every holder that asked before
	// SeenAt changes each time that the holder is seen. Whether a holder is alive shows in the change alone: the clock that it
	// was taken from may have been wrong.
	SeenAt time.Time
}

// SeeHolder notes that a holder is alive, or that it releases the lease. Both times are the server's, or just behind the
// latest stored one where the server's clock was set back. The zero Since is now.
func (s *Store) SeeHolder(ctx context.Context, lease string, h Holder, released bool) error {
	c := &conditions{}
	name, since := c.bind("String", lease), c.bind("Int64", microsOf(h.Since))
	behind := func(column string) string {
		return "greatest(now64(6), (SELECT max(" + column + ") + toIntervalMicrosecond(1) FROM holders WHERE shard = " + name + "))"
	}
	sql := fmt.Sprintf(`INSERT INTO holders (shard, holder, host, since, seen_at, released)
		SELECT %s, %s, %s, if(%s = 0, %s, fromUnixTimestamp64Micro(%s)), %s, %s`,
		name, c.bind("String", h.ID), c.bind("String", h.Host), since, behind("since"), since, behind("seen_at"), c.bind("Bool", released))
	return explain("renew a lease", s.conn.Exec(ctx, sql, c.args...))
}

// Holders returns the holders that have not released the lease, alive or not, the one that asked first in front.
func (s *Store) Holders(ctx context.Context, lease string) ([]Holder, error) {
	where := &conditions{}
	where.add("shard = {}", "String", lease)
	where.require("NOT released")
	return collect(ctx, s.conn, "read who holds a lease", "SELECT holder, host, since, seen_at FROM holders FINAL WHERE "+where.String()+" ORDER BY since, holder",
		where.args, func(rows driver.Rows, h *Holder) error { return rows.Scan(&h.ID, &h.Host, &h.Since, &h.SeenAt) })
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
