package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"hooktape/web/api"
)

const (
	sessionIdle   = 12 * time.Hour // without a request
	sessionLife   = 7 * 24 * time.Hour
	maxSessions   = 10_000
	sessionCookie = "hooktape_session"
)

// sessions are who is logged in. They live in memory: a restart, by which alone tokens change, ends them all.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]*session // by the hash of their id, so that looking one up tells nothing by its time
}

type session struct {
	who         api.Bearer
	begun, seen time.Time
}

func newSessions() *sessions { return &sessions{open: map[[sha256.Size]byte]*session{}} }

func (s *session) over(now time.Time) bool {
	return now.Sub(s.seen) >= sessionIdle || now.Sub(s.begun) >= sessionLife
}

// begin makes a session and returns its id: 256 bits of chance.
func (s *sessions) begin(who api.Bearer) (id string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	id = base64.RawURLEncoding.EncodeToString(b[:])
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, old := range s.open {
		if old.over(now) || len(s.open) >= maxSessions {
			delete(s.open, hash)
		}
	}
	s.open[sha256.Sum256([]byte(id))] = &session{who, now, now}
	return id
}

// find returns whose session an id is. What a person does keeps it from idling; what an open page asks by itself does not.
func (s *sessions) find(id string, person bool) (api.Bearer, bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := sha256.Sum256([]byte(id))
	found := s.open[hash]
	switch {
	case found == nil:
		return api.Bearer{}, false
	case found.over(now):
		delete(s.open, hash)
		return api.Bearer{}, false
	}
	if person {
		found.seen = now
	}
	return found.who, true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}

// secure tells whether the browser speaks TLS: to us, or to a proxy that says so. Who lies about it has a cookie that
// their browser does not send back.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// cookieOf is the session's cookie: none that a script can read or that another site's request brings, and under TLS none
// that another host or a connection without TLS could have set.
func cookieOf(r *http.Request, id string) *http.Cookie {
	c := &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: int(sessionLife / time.Second)}
	if secure(r) {
		c.Name, c.Secure = "__Host-"+sessionCookie, true
	}
	if id == "" {
		c.MaxAge = -1
	}
	return c
}

// session returns who is logged in.
func (c *console) session(r *http.Request) (api.Bearer, bool) {
	cookie, err := r.Cookie(cookieOf(r, "").Name)
	if err != nil {
		return api.Bearer{}, false
	}
	return c.sessions.find(cookie.Value, r.Header.Get("HX-Request") == "")
}
