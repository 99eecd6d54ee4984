package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// AuditEntry is something that a person changed or looked at.
type AuditEntry struct {
	At       time.Time `json:"at" doc:"When."`
	Who      string    `json:"who" doc:"The name of a token, or a user of the command line."`
	Action   string    `json:"action" doc:"What was done." example:"replay.create"`
	Target   string    `json:"target" doc:"The replay, endpoint or event."`
	Detail   string    `json:"detail,omitempty" doc:"Details, as JSON."`
	RemoteIP string    `json:"remote_ip,omitempty" doc:"The client's address; absent for the command line."`

	hash uint64 // of an entry that was read
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
	return s.AuditPage(ctx, AuditFilter{Limit: limit})
}

// AuditFilter selects entries: those by one of the people, with one of the actions, older than Before. An empty list
// selects all.
type AuditFilter struct {
	Who, Actions []string
	Limit        int
	Before       *AuditCursor // nil for the newest
}

// AuditCursor is the position of an entry. Hash tells entries of the same microsecond apart.
type AuditCursor struct {
	At   time.Time
	Hash uint64
}

const auditHash = "cityHash64(who, action, target, detail, remote_ip)"

// AuditPage returns the selected entries, the newest first.
func (s *Store) AuditPage(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	where := &conditions{}
	addIn(where, "who", f.Who)
	addIn(where, "action", f.Actions)
	if f.Before != nil {
		where.require(fmt.Sprintf("(at, %s) < (%s, %s)", auditHash, where.bindTime(f.Before.At),
			where.bind("UInt64", f.Before.Hash)))
	}
	return collect(ctx, s.conn, "read the audit log",
		fmt.Sprintf("SELECT %s, %s AS hash FROM audit_log WHERE %s ORDER BY at DESC, hash DESC LIMIT %d",
			auditColumns, auditHash, where, f.Limit), where.args,
		func(rows driver.Rows, e *AuditEntry) error {
			return rows.Scan(&e.At, &e.Who, &e.Action, &e.Target, &e.Detail, &e.RemoteIP, &e.hash)
		})
}

// Cursor returns the position of an entry of the list.
func (e AuditEntry) Cursor() AuditCursor { return AuditCursor{e.At, e.hash} }

// AuditNames returns everybody who is in the audit log, and all actions.
func (s *Store) AuditNames(ctx context.Context) (who, actions []string, err error) {
	err = s.conn.QueryRow(ctx,
		"SELECT arraySort(groupUniqArray(1000)(who)), arraySort(groupUniqArray(1000)(toString(action))) FROM audit_log").
		Scan(&who, &actions)
	return who, actions, explain("read the names of the audit log", err)
}
