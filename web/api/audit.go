package api

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"hooktape/internal/store"
	"hooktape/replay"
)

// AuditEntry records a change, or that somebody viewed a request.
type AuditEntry = store.AuditEntry

// AuditPage is a page of the audit log.
type AuditPage struct {
	Entries []AuditEntry `json:"entries" doc:"The newest first."`
	Next    string       `json:"next,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

// AuditFilter selects entries of the audit log: those by one of the people, with one of the actions. An empty list
// selects all.
type AuditFilter struct {
	Who     []string `query:"who,explode" doc:"By one of these: names of tokens, or users of the command line."`
	Actions []string `query:"action,explode" doc:"With one of these actions, such as replay.create."`
}

// AuditPage returns a page of the selected entries, the newest first. The empty cursor is the beginning.
func (d *Direct) AuditPage(ctx context.Context, f AuditFilter, limit int, cursor string) (AuditPage, error) {
	const hashSize = 8
	page := AuditPage{Entries: []AuditEntry{}}
	if err := d.require(RoleAdmin); err != nil {
		return page, err
	}
	before, err := decodeCursor(cursor, func(at time.Time, hash []byte) store.AuditCursor {
		return store.AuditCursor{At: at, Hash: binary.BigEndian.Uint64(hash)}
	}, hashSize)
	if err != nil {
		return page, err
	}
	found, err := d.store.AuditPage(ctx, store.AuditFilter{Who: f.Who, Actions: f.Actions, Limit: limit + 1,
		Before: before})
	if len(found) > limit {
		found = found[:limit]
		last := found[limit-1].Cursor()
		page.Next = encodeCursor(last.At, binary.BigEndian.AppendUint64(nil, last.Hash))
	}
	for _, e := range found {
		e.Detail = maskedDetail(e.Detail)
		page.Entries = append(page.Entries, e)
	}
	return page, err
}

func (s *server) auditRoute() {
	reply(s, RoleAdmin, "GET /audit-log", huma.Operation{OperationID: "list-audit-log",
		Summary:     "List who changed what, and who viewed whose data",
		Description: "Newest first, in pages. Repeated views of the same event are recorded once an hour."},
		func(ctx context.Context, in *struct {
			AuditFilter
			Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"The most entries of a page."`
			Cursor string `query:"cursor" maxLength:"64" doc:"The next of the previous page; absent for the first page."`
		}) (AuditPage, error) {
			return s.as(ctx).AuditPage(ctx, in.AuditFilter, in.Limit, in.Cursor)
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
	err := actor.Audit(ctx, v.db, action, target, struct{}{})
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
