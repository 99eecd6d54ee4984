package api

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	// LoginLinkLife is how long a one-time link to log in is valid.
	LoginLinkLife = 10 * time.Minute
	maxLoginLinks = 100
)

// LoginLinkPath is the page of the console that uses a link. The secret is the fragment of its address: browsers send
// it neither with the request nor as referrer. A GET of the address, such as that of a link previewer, does not use it.
const LoginLinkPath = "/login/link"

// LoginLink logs its holder in to the console, once.
type LoginLink struct {
	Path      string    `json:"path" doc:"The path at the console's address. It contains the secret." example:"/login/link#…"`
	ExpiresAt time.Time `json:"expires_at" doc:"Until when it is valid."`
	Name      string    `json:"name" doc:"Under which name its user appears in the audit log: that of the token that created the link."`
	Role      Role      `json:"role" enum:"read,replay,admin" doc:"What its user may do."`
}

// NewLoginLink says what link to create.
type NewLoginLink struct {
	Role Role `json:"role,omitempty" enum:"read,replay,admin" default:"admin" doc:"What the user of the link may do."`
}

// loginLinks are the links that were not used yet, by the hashes of their secrets. They are in memory only.
type loginLinks struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]openLink
}

type openLink struct {
	user    Principal
	expires time.Time
}

// create returns the secret of a new link. At the limit the oldest one ends.
func (l *loginLinks) create(user Principal, now time.Time) (secret string, expires time.Time) {
	secret, expires = rand.Text(), now.Add(LoginLinkLife)
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := [sha256.Size]byte{}
	for hash, link := range l.open {
		if !now.Before(link.expires) {
			delete(l.open, hash)
		} else if first, ok := l.open[oldest]; !ok || link.expires.Before(first.expires) {
			oldest = hash
		}
	}
	if len(l.open) >= maxLoginLinks {
		delete(l.open, oldest)
	}
	l.open[sha256.Sum256([]byte(secret))] = openLink{user, expires}
	return secret, expires
}

// use ends the link with a secret, and returns its user.
func (l *loginLinks) use(secret string, now time.Time) (Principal, bool) {
	hash := sha256.Sum256([]byte(secret))
	l.mu.Lock()
	defer l.mu.Unlock()
	link, ok := l.open[hash]
	delete(l.open, hash)
	return link.user, ok && now.Before(link.expires)
}

// CreateLoginLink creates a link that logs in to the console of this process with the principal's name and a role; the
// default is admin. The audit log records it.
func (d *Direct) CreateLoginLink(ctx context.Context, role Role) (LoginLink, error) {
	if err := d.require(RoleAdmin); err != nil {
		return LoginLink{}, err
	}
	role = cmp.Or(role, RoleAdmin)
	if !slices.Contains(Roles, role) {
		return LoginLink{}, Invalidf("invalid role %q: want read, replay or admin", role)
	}
	if err := d.audit(ctx, "login-link.create", d.actor.Name, map[string]any{"role": role}); err != nil {
		return LoginLink{}, fmt.Errorf("create a login link: %w", err)
	}
	secret, expires := d.links.create(Principal{d.actor.Name, role}, time.Now())
	return LoginLink{Path: LoginLinkPath + "#" + secret, ExpiresAt: expires.UTC().Truncate(time.Second),
		Name: d.actor.Name, Role: role}, nil
}

// UseLoginLink returns the user of the link with a secret, which is then used up. It returns false for a link that was
// used, has expired, or never was.
func (d *Direct) UseLoginLink(secret string) (Principal, bool) {
	return d.links.use(secret, time.Now())
}

func (s *server) loginLinkRoute() {
	reply(s, RoleAdmin, "POST /login-links", huma.Operation{OperationID: "create-login-link",
		DefaultStatus: http.StatusCreated, Summary: "Create a one-time link to log in to the console",
		Description: "The link logs in once, within ten minutes, at the console of the process that answers. " +
			"It ends with the process. The audit log records its creation."},
		func(ctx context.Context, in *struct{ Body NewLoginLink }) (LoginLink, error) {
			return s.as(ctx).CreateLoginLink(ctx, in.Body.Role)
		})
}
