package ingest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"hooktape/internal/event"
)

// Source is a hook URL that BotHelp calls, or one URL for each token.
type Source struct {
	Name string
	// Tokens are the secrets that a hook URL may carry; two while one replaces the other.
	Tokens []string
	// SigningTokens, if any, make X-Wh-Sign obligatory: one of them must have made it.
	SigningTokens []string
	// Kind is the kind of the source's events whose bodies do not determine it. Empty: unknown.
	Kind event.Kind
	// MaxBody is the largest body in bytes.
	MaxBody int64
	// Forward, if not nil, makes the source answer as an endpoint does.
	Forward *Forward

	forwarder *forwarder // of Forward
}

// methods returns the HTTP methods that the source accepts.
func (s *Source) methods() []string {
	if s.Forward == nil {
		return []string{http.MethodPost}
	}
	return []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// DefaultMaxBody is 1 MiB, some two thousand times the usual webhook.
const DefaultMaxBody = 1 << 20

// Sources is an immutable set of sources.
type Sources struct {
	byName map[string]*Source
	hashes map[string][][32]byte // of each source's tokens
	secret secrets               // all tokens
}

// NewSources returns a set.
func NewSources(list []Source) *Sources {
	s := &Sources{byName: map[string]*Source{}, hashes: map[string][][32]byte{}}
	var tokens []string
	for i := range list {
		source := list[i]
		if source.MaxBody == 0 {
			source.MaxBody = DefaultMaxBody
		}
		s.byName[source.Name] = &source
		for _, token := range source.Tokens {
			s.hashes[source.Name] = append(s.hashes[source.Name], sha256.Sum256([]byte(token)))
			tokens = append(tokens, token)
		}
	}
	s.secret = newSecrets(tokens)
	return s
}

// authenticate returns the source of a name and a token. The verdict is Accepted, UnknownSource or BadToken; the source
// is nil unless accepted. Case in a name and white space around name and token do not matter. Hashes of tokens are
// compared in constant time.
func (s *Sources) authenticate(name, token string) (*Source, event.Verdict) {
	source := s.find(name)
	if source == nil {
		return nil, event.UnknownSource
	}
	given, match := sha256.Sum256([]byte(tidy(token))), 0
	for _, hash := range s.hashes[source.Name] {
		match |= subtle.ConstantTimeCompare(given[:], hash[:])
	}
	if match == 0 {
		return nil, event.BadToken
	}
	return source, event.Accepted
}

// find returns the source of a name in any spelling; nil if there is none.
func (s *Sources) find(name string) *Source {
	if source, ok := s.byName[name]; ok {
		return source
	}
	return s.byName[strings.ToLower(tidy(name))]
}

// Named returns the configured spelling of a source's name, and the kind of its events whose bodies do not determine
// it. A name that is not configured it returns unchanged.
func (s *Sources) Named(name string) (string, event.Kind) {
	if source := s.find(name); source != nil {
		return source.Name, source.Kind
	}
	return name, ""
}

// Kind returns the kind of a source's events whose bodies do not determine it.
func (s *Sources) Kind(source string) event.Kind {
	if src, ok := s.byName[source]; ok {
		return src.Kind
	}
	return ""
}
