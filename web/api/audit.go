package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// AuditEntry is something that somebody has changed, or a request that somebody has looked at.
type AuditEntry struct {
	At       time.Time `json:"at" doc:"When."`
	Who      string    `json:"who" doc:"The name of a token, or a user of the command line."`
	Action   string    `json:"action" doc:"What was done." example:"replay.create"`
	Target   string    `json:"target" doc:"To which replay, endpoint or event."`
	Detail   string    `json:"detail,omitempty" doc:"What exactly, as JSON."`
	RemoteIP string    `json:"remote_ip,omitempty" doc:"From where; absent for the command line."`
}

// AuditList is the audit log.
type AuditList struct {
	Entries []AuditEntry `json:"entries" doc:"The newest first."`
}

// AuditLog returns who has changed what, the newest first.
func (d *Direct) AuditLog(ctx context.Context, limit int) ([]AuditEntry, error) {
	if err := d.need(RoleAdmin); err != nil {
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

func (s *server) audit() {
	route(s, RoleAdmin, huma.Operation{OperationID: "list-audit-log", Method: http.MethodGet, Path: "/audit-log", Tags: []string{"Audit"},
		Summary: "List who has changed what, and looked at whose data", Description: "Newest first. Who looks at the same event again and again stands there once an hour."},
		func(ctx context.Context, in *struct {
			Limit int `query:"limit" default:"100" minimum:"1" maximum:"1000" doc:"At most this many."`
		}) (*struct{ Body AuditList }, error) {
			list, err := s.as(ctx).AuditLog(ctx, in.Limit)
			return &struct{ Body AuditList }{AuditList{list}}, err
		})
}
