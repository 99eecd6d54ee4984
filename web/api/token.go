package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
)

// Role is what the bearer of a token may do. Each may do what those before it may.
type Role string

// The roles.
const (
	RoleRead   Role = "read"   // look at events, deliveries, endpoints and replays
	RoleReplay Role = "replay" // make and steer replays, pause and resume endpoints
	RoleAdmin  Role = "admin"  // write expressions over the events (where), read the audit log
)

// Roles lists every role, the weakest first.
var Roles = []Role{RoleRead, RoleReplay, RoleAdmin}

// Covers tells whether what needs role other is open to this one.
func (r Role) Covers(other Role) bool { return slices.Index(Roles, r) >= slices.Index(Roles, other) }

// Token is a secret that lets its bearer in.
type Token struct {
	Name   string `yaml:"name"` // who a replay is made by; not secret
	Secret string `yaml:"token" secret:""`
	Role   Role   `yaml:"role"`
}

// Bearer is somebody whom a token has let in.
type Bearer struct {
	Name string
	Role Role
}

// Need refuses what needs a role that the bearer's does not cover. The error is a [*Problem].
func (b Bearer) Need(role Role) error {
	if !b.Role.Covers(role) {
		return problem(http.StatusForbidden, "this needs the role %s; the token %q has the role %s", role, b.Name, b.Role)
	}
	return nil
}

// Keyring is the tokens by the hashes of their secrets: all of one length, so that comparing them takes one time.
type Keyring []key

type key struct {
	hash   [sha256.Size]byte
	bearer Bearer
}

// NewKeyring makes a keyring of tokens.
func NewKeyring(tokens []Token) (Keyring, error) {
	ring := make(Keyring, len(tokens))
	for i, t := range tokens {
		if t.Secret == "" || !slices.Contains(Roles, t.Role) {
			return nil, fmt.Errorf("API token %q has no secret or no role", t.Name)
		}
		ring[i] = key{sha256.Sum256([]byte(t.Secret)), Bearer{t.Name, t.Role}}
	}
	return ring, nil
}

// Find returns whose a secret is. It looks at every key whatever it finds.
func (ring Keyring) Find(secret string) (found Bearer, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, k := range ring {
		if subtle.ConstantTimeCompare(k.hash[:], hash[:]) == 1 {
			found, ok = k.bearer, true
		}
	}
	return found, ok
}
