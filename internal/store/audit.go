package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// AuditEntry is something that a person changed or looked at.
type AuditEntry struct {
	At       time.Time
	Who      string // the name of a token, or a user of the command line
	Action   string
	Target   string
	Detail   string // exact change, as JSON
	RemoteIP string
}

const auditColumns = "at, who, action, target, detail, remote_ip"

// Audit stores an entry.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	return s.insert(ctx, "", "audit_log ("+auditColumns+")", func(batch driver.Batch) error {
		return batch.Append(e.At, e.Who, e.Action, e.Target, e.Detail, e.RemoteIP)
	})
}

// AuditLog returns the newest entries, the newest first; at most limit.
func (s *Store) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	return collect(ctx, s.conn, "read the audit log", fmt.Sprintf("SELECT %s FROM audit_log ORDER BY at DESC LIMIT %d",
		auditColumns, limit), nil,
		func(rows driver.Rows, e *AuditEntry) error {
			return rows.Scan(&e.At, &e.Who, &e.Action, &e.Target, &e.Detail, &e.RemoteIP)
		})
}
