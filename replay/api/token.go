package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
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

// covers tells whether what needs role other is open to this one.
func (r Role) covers(other Role) bool { return slices.Index(Roles, r) >= slices.Index(Roles, other) }

// Token is a secret that lets its bearer in.
type Token struct {
	Name   string // who a replay is made by; not secret
	Secret string
	Role   Role
}

// keyring is the tokens by the hashes of their secrets: all of one length, so that comparing them takes one time.
type keyring []key

type key struct {
	hash [sha256.Size]byte
	name string
	role Role
}

func newKeyring(tokens []Token) (keyring, error) {
	ring := make(keyring, len(tokens))
	for i, t := range tokens {
		if t.Secret == "" || !slices.Contains(Roles, t.Role) {
			return nil, fmt.Errorf("API token %q has no secret or no role", t.Name)
		}
		ring[i] = key{sha256.Sum256([]byte(t.Secret)), t.Name, t.Role}
	}
	return ring, nil
}

// find returns whose a secret is. It looks at every key whatever it finds.
func (ring keyring) find(secret string) (found key, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, k := range ring {
		if subtle.ConstantTimeCompare(k.hash[:], hash[:]) == 1 {
			found, ok = k, true
		}
	}
	return found, ok
}
