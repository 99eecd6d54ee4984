package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"slices"
)

// Role is the permission level of a token. Each role includes the weaker ones.
type Role string

// The roles.
const (
	RoleRead   Role = "read"   // read events, deliveries, endpoints and replays
	RoleReplay Role = "replay" // create and control replays, pause and resume endpoints
	RoleAdmin  Role = "admin"  // select events by an expression (where), read the audit log
)

// Roles lists every role, the weakest first.
var Roles = []Role{RoleRead, RoleReplay, RoleAdmin}

// Covers reports whether the role includes another one.
func (r Role) Covers(other Role) bool { return slices.Index(Roles, r) >= slices.Index(Roles, other) }

// Token is a secret that identifies a [Principal].
type Token struct {
	Name   string `yaml:"name"` // of the principal; not secret
	Secret string `yaml:"token" secret:""`
	Role   Role   `yaml:"role"`
}

// Principal is the authenticated caller of the API or user of the console.
type Principal struct {
	Name string
	Role Role
}

// Require returns a [*Problem] unless the principal has a role.
func (p Principal) Require(role Role) error {
	if !p.Role.Covers(role) {
		return Problemf(http.StatusForbidden, "this needs the role %s; the token %q has the role %s", role, p.Name,
			p.Role)
	}
	return nil
}

// Keyring holds the tokens by the hashes of their secrets. Hashes have one length, so comparing them takes constant
// time.
type Keyring []key

type key struct {
	hash      [sha256.Size]byte
	principal Principal
}

// NewKeyring returns a keyring of tokens. It fails for a token without a secret or with an unknown role.
func NewKeyring(tokens []Token) (Keyring, error) {
	ring := make(Keyring, len(tokens))
	for i, t := range tokens {
		if t.Secret == "" || !slices.Contains(Roles, t.Role) {
			return nil, fmt.Errorf("API token %q has no secret or no role", t.Name)
		}
		ring[i] = key{sha256.Sum256([]byte(t.Secret)), Principal{t.Name, t.Role}}
	}
	return ring, nil
}

// Find returns the principal that a secret identifies. It compares every key, also after a match.
func (ring Keyring) Find(secret string) (found Principal, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, k := range ring {
		if subtle.ConstantTimeCompare(k.hash[:], hash[:]) == 1 {
			found, ok = k.principal, true
		}
	}
	return found, ok
}
