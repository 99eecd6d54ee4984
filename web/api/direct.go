package api

import (
	"context"
	"crypto/sha256"
	"net/netip"

	"hooktape/internal/store"
	"hooktape/replay"
)

// Direct answers from the database, for the HTTP API, the console and the commands. It rejects operations that the
// principal's role does not include, and records in the audit log who viewed whose data.
type Direct struct {
	store     *store.Store
	service   *replay.Service
	recent    *recent
	views     *views
	links     *loginLinks
	host      Host
	actor     replay.Actor
	principal *Principal // nil for the command line, which has the database and may do everything
}

// NewDirect returns a Direct for the command line: it has all permissions, and its views are not recorded. Its changes
// are recorded under actor's name.
func NewDirect(db *store.Store, service *replay.Service, actor replay.Actor) *Direct {
	d := &Direct{store: db, service: service, actor: actor, views: newViews(db),
		links: &loginLinks{open: map[[sha256.Size]byte]openLink{}}}
	d.recent = newRecent(d.Replay)
	return d
}

// As returns a Direct that acts for a principal at a client address.
func (d *Direct) As(p Principal, remote netip.Addr) *Direct {
	other := *d
	other.principal = &p
	other.actor = replay.Actor{Name: p.Name, RemoteIP: remote, MayReachPrivate: p.Role.Covers(RoleAdmin)}
	return &other
}

func (d *Direct) require(role Role) error {
	if d.principal == nil {
		return nil
	}
	return d.principal.Require(role)
}

// audit adds an entry to the audit log, with detail as JSON. Nothing is done without one.
func (d *Direct) audit(ctx context.Context, action, target string, detail any) error {
	return d.actor.Audit(ctx, d.store, action, target, detail)
}

// recordView records in the audit log that the principal views something. When it fails, the thing must not be shown.
func (d *Direct) recordView(ctx context.Context, action, target string) error {
	if d.principal == nil {
		return nil
	}
	return d.views.record(ctx, d.actor, action, target)
}
