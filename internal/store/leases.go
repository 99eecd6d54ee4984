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

// LeaseClaim is a process that holds a lease, or asks for it.
type LeaseClaim struct {
	ID    string // a process that is started again under the same one is the same holder
	Host  string
	Since time.Time // when it asked for the lease; later than that of every holder that asked before
	// SeenAt changes each time that the holder is seen. Whether a holder is alive shows in the change alone: the clock that it
	// was taken from may have been wrong.
	SeenAt time.Time
}

// RenewLease records that the process with this claim is alive. Since and SeenAt are set by the server's clock; when that clock was set
// back, they are a microsecond after the latest stored one. A zero Since is replaced by now.
func (s *Store) RenewLease(ctx context.Context, lease string, c LeaseClaim) error {
	return s.writeLease(ctx, lease, c, false)
}

// ReleaseLease removes the claim, so that the process with the next one gets the lease at once.
func (s *Store) ReleaseLease(ctx context.Context, lease string, c LeaseClaim) error {
	return s.writeLease(ctx, lease, c, true)
}

func (s *Store) writeLease(ctx context.Context, lease string, claim LeaseClaim, released bool) error {
	c := &conditions{}
	name, since := c.bind("String", lease), c.bind("Int64", microsOf(claim.Since))
	behind := func(column string) string {
		return "greatest(now64(6), (SELECT max(" + column + ") + toIntervalMicrosecond(1) FROM holders WHERE shard = " + name + "))"
	}
	sql := fmt.Sprintf(`INSERT INTO holders (shard, holder, host, since, seen_at, released)
		SELECT %s, %s, %s, if(%s = 0, %s, fromUnixTimestamp64Micro(%s)), %s, %s`,
		name, c.bind("String", claim.ID), c.bind("String", claim.Host), since, behind("since"), since, behind("seen_at"), c.bind("Bool", released))
	return explain("renew a lease", s.conn.Exec(ctx, sql, c.args...))
}

// LeaseClaims returns the holders that have not released the lease, alive or not, the one that asked first in front.
func (s *Store) LeaseClaims(ctx context.Context, lease string) ([]LeaseClaim, error) {
	where := &conditions{}
	where.add("shard = {}", "String", lease)
	where.require("NOT released")
	return collect(ctx, s.conn, "read who holds a lease", "SELECT holder, host, since, seen_at FROM holders FINAL WHERE "+where.String()+" ORDER BY since, holder",
		where.args, func(rows driver.Rows, h *LeaseClaim) error { return rows.Scan(&h.ID, &h.Host, &h.Since, &h.SeenAt) })
}

func microsOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
