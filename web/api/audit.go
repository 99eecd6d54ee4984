package api

import (
	"context"
	"crypto/sha256"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/store"
	"hooktape/replay"
)

// AuditEntry records a change, or that somebody viewed a request.
type AuditEntry struct {
	At       time.Time `json:"at" doc:"When."`
	Who      string    `json:"who" doc:"The name of a token, or a user of the command line."`
	Action   string    `json:"action" doc:"What was done." example:"replay.create"`
	Target   string    `json:"target" doc:"The replay, endpoint or event."`
	Detail   string    `json:"detail,omitempty" doc:"Details, as JSON."`
	RemoteIP string    `json:"remote_ip,omitempty" doc:"The client's address; absent for the command line."`
}

// AuditList is the audit log.
type AuditList struct {
	Entries []AuditEntry `json:"entries" doc:"The newest first."`
}

// AuditLog returns the newest entries of the audit log, the newest first.
func (d *Direct) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	if err := d.require(RoleAdmin); err != nil {
		return nil, err
	}
	found, err := d.store.AuditLog(ctx, limit)
	list := make([]AuditEntry, len(found))
	for i, e := range found {
		list[i] = AuditEntry(e)
		list[i].Detail = maskedDetail(e.Detail)
	}
	return list, err
}

func (s *server) auditRoute() {
	route(s, RoleAdmin, "GET /audit-log", huma.Operation{OperationID: "list-audit-log",
		Summary:     "List who changed what, and who viewed whose data",
		Description: "Newest first. Repeated views of the same event are recorded once an hour."},
		func(ctx context.Context, in *struct {
			Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"The most entries."`
		}) (*struct{ Body AuditList }, error) {
			list, err := s.as(ctx).AuditLog(ctx, in.Limit)
			return &struct{ Body AuditList }{AuditList{list}}, err
		})
}

// views records in the audit log who viewed what. It records repeated views of the same thing once an hour.
type views struct {
	db       *store.Store
	mu       sync.Mutex
	recorded map[view]time.Time
}

type view struct {
	who, action string
	target      [sha256.Size]byte // the hash of the whole target
}

const (
	viewInterval   = time.Hour
	maxViews       = 10_000
	maxTargetBytes = 2000 // a selection may name thousands of events
)

func newViews(db *store.Store) *views { return &views{db: db, recorded: map[view]time.Time{}} }

func (v *views) record(ctx context.Context, actor replay.Actor, action, target string) error {
	now := time.Now()
	key := view{actor.Name, action, sha256.Sum256([]byte(target))}
	if !v.due(key, now) {
		return nil
	}
	if len(target) > maxTargetBytes {
		target = strings.ToValidUTF8(target[:maxTargetBytes], "")
	}
	entry := store.AuditEntry{At: now, Who: actor.Name, Action: action, Target: target, Detail: "{}"}
	if actor.RemoteIP.IsValid() {
		entry.RemoteIP = actor.RemoteIP.String()
	}
	err := v.db.Audit(ctx, entry)
	if err != nil {
		v.forget(key)
	}
	return err
}

// due reports whether a view must be recorded, and marks it as recorded.
func (v *views) due(key view, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if last, ok := v.recorded[key]; ok && now.Sub(last) < viewInterval {
		return false
	}
	if len(v.recorded) >= maxViews {
		maps.DeleteFunc(v.recorded, func(_ view, at time.Time) bool { return now.Sub(at) >= viewInterval })
	}
	if len(v.recorded) >= maxViews {
		clear(v.recorded) // views within this hour may be recorded a second time
	}
	v.recorded[key] = now
	return true
}

func (v *views) forget(key view) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.recorded, key)
}
