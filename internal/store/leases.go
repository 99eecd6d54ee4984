package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DeliveryLease is the lease of the process that delivers. The name dates from versions in which several processes
// shared delivery.
const DeliveryLease = "1/1"

// LeaseClaim is the claim of a process to a lease.
type LeaseClaim struct {
	ID   string // of the process; it may stay the same over a restart
	Host string
	// Since is when the process asked for the lease. It is later than that of every claim made before.
	Since time.Time
	// SeenAt changes with each renewal. Only a change shows that a process is alive: the clock may have been wrong.
	SeenAt time.Time
}

// RenewLease records that the process with this claim is alive. The server's clock sets SeenAt and a zero Since; if
// that clock was set back, they are a microsecond after the latest stored one.
func (s *Store) RenewLease(ctx context.Context, lease string, c LeaseClaim) error {
	return s.writeLease(ctx, lease, c, false)
}

// ReleaseLease removes the claim, so that the next process in the queue gets the lease without waiting.
func (s *Store) ReleaseLease(ctx context.Context, lease string, c LeaseClaim) error {
	return s.writeLease(ctx, lease, c, true)
}

func (s *Store) writeLease(ctx context.Context, lease string, claim LeaseClaim, released bool) error {
	c := &conditions{}
	name := c.bind("String", lease)
	since := c.bind("Int64", epochIfZero(claim.Since).UnixMicro())
	behind := func(column string) string {
		return "greatest(now64(6), (SELECT max(" + column +
			") + toIntervalMicrosecond(1) FROM holders WHERE shard = " + name + "))"
	}
	sql := fmt.Sprintf(`INSERT INTO holders (shard, holder, host, since, seen_at, released)
		SELECT %s, %s, %s, if(%s = 0, %s, fromUnixTimestamp64Micro(%s)), %s, %s`,
		name, c.bind("String", claim.ID), c.bind("String", claim.Host), since, behind("since"), since,
		behind("seen_at"), c.bind("Bool", released))
	return explain("renew a lease", s.conn.Exec(ctx, sql, c.args...))
}

// LeaseClaims returns the claims that were not released, of processes alive or not, the oldest first.
func (s *Store) LeaseClaims(ctx context.Context, lease string) ([]LeaseClaim, error) {
	where := &conditions{}
	where.add("shard = {}", "String", lease)
	where.require("NOT released")
	return collect(ctx, s.conn, "read the claims to a lease",
		"SELECT holder, host, since, seen_at FROM holders FINAL WHERE "+where.String()+" ORDER BY since, holder",
		where.args, func(rows driver.Rows, h *LeaseClaim) error {
			return rows.Scan(&h.ID, &h.Host, &h.Since, &h.SeenAt)
		})
}
