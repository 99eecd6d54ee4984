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
	securePrefix  = "__Host-" // of cookies with TLS
)

// sessions are the logins. They are in memory only: tokens change by a restart, which ends every session.
type sessions struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]*session // by the hash of the id, because the time of a lookup must not reveal ids
}

type session struct {
	user             api.Principal
	began, lastAsked time.Time
}

func newSessions() *sessions { return &sessions{open: map[[sha256.Size]byte]*session{}} }

func (s *session) expired(now time.Time) bool {
	return now.Sub(s.lastAsked) >= sessionIdle || now.Sub(s.began) >= sessionLife
}

// begin starts a session and returns its id, 256 random bits. At the limit it ends some other session.
func (s *sessions) begin(user api.Principal) (id string) {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	id = base64.RawURLEncoding.EncodeToString(b[:])
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for hash, old := range s.open {
		if old.expired(now) || len(s.open) >= maxSessions {
			delete(s.open, hash)
		}
	}
	s.open[sha256.Sum256([]byte(id))] = &session{user, now, now}
	return id
}

// find returns the user of a session. Only requests by a person keep a session alive, not polling by an open page.
func (s *sessions) find(id string, byPerson bool) (api.Principal, bool) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	hash := sha256.Sum256([]byte(id))
	found := s.open[hash]
	if found == nil {
		return api.Principal{}, false
	}
	if found.expired(now) {
		delete(s.open, hash)
		return api.Principal{}, false
	}
	if byPerson {
		found.lastAsked = now
	}
	return found.user, true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(id)))
}

// secure reports whether the browser uses TLS, to us or to a proxy that says so. A client that lies about it gets a
// cookie that its browser does not send back.
func secure(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// cookieFor returns the session's cookie; without an id, one that deletes it. Scripts cannot read it, and requests from
// other sites do not carry it. With TLS its prefix ensures that no other host and no connection without TLS has set it.
func cookieFor(r *http.Request, id string) *http.Cookie {
	c := &http.Cookie{Name: sessionCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
		MaxAge: int(sessionLife / time.Second)}
	if secure(r) {
		c.Name, c.Secure = securePrefix+sessionCookie, true
	}
	if id == "" {
		c.MaxAge = -1
	}
	return c
}

// endSession ends the session that the browser has, with or without TLS.
func (c *console) endSession(r *http.Request) {
	for _, name := range []string{sessionCookie, securePrefix + sessionCookie} {
		if cookie, err := r.Cookie(name); err == nil {
			c.sessions.end(cookie.Value)
		}
	}
}

// session returns the logged-in user.
func (c *console) session(r *http.Request) (api.Principal, bool) {
	cookie, err := r.Cookie(cookieFor(r, "").Name)
	if err != nil {
		return api.Principal{}, false
	}
	return c.sessions.find(cookie.Value, r.Header.Get("HX-Request") == "")
}
