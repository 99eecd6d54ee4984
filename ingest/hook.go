package ingest

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"hooktape/event"
)

const (
	hooksPrefix  = "/hooks/"
	maskedPath   = hooksPrefix + mask
	maxStepBytes = 128
)

// hook is what a request's path says: /hooks/{source}/{token}[/{step}].
type hook struct {
	source, token, step string
	path                string // as it came, the token masked
}

// parseHook reads a path as it came, still percent-encoded. A step that is too long is cut, not refused: the whole of
// it stays in the stored path, and a lead is worth more than a label.
func parseHook(path string) hook {
	parts := strings.SplitN(path, "/", 5) // "", hooks, source, token, step
	h := hook{}
	if len(parts) > 2 {
		h.source = cutUTF8(strings.ToValidUTF8(unescape(parts[2]), "\uFFFD"), maxStepBytes)
	}
	if len(parts) > 3 && parts[3] != "" {
		h.token = unescape(parts[3])
		parts[3] = mask
	}
	if len(parts) > 4 {
		h.step = cutUTF8(strings.ToValidUTF8(unescape(parts[4]), "\uFFFD"), maxStepBytes)
	}
	h.path = strings.Join(parts, "/")
	return h
}

func unescape(segment string) string {
	if s, err := url.PathUnescape(segment); err == nil {
		return s
	}
	return segment
}

// cutUTF8 returns the longest start of s that has at most n bytes and ends with a whole character.
func cutUTF8(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// judged is a hook and what its source and token are worth, and later what became of the request.
type judged struct {
	hook
	source  *Source // nil unless accepted
	verdict event.Verdict
	host    string
	peer    netip.Addr // of the connection
	client  netip.Addr // the peer, or whom a trusted proxy names
	secret  secrets
	memory  reservation

	captured *event.Received // nil until it is
	id       string          // of captured
	appended time.Duration   // how long it took to put it on disk; 0 when it is not there
}

type judgedKey struct{}

// judgedOf is what judge made of a request; nil when it is none to a hook.
func judgedOf(r *http.Request) *judged {
	h, _ := r.Context().Value(judgedKey{}).(*judged)
	return h
}

// judge stands in front of everything else. It takes the token out of the URL, and out of wherever else it stands: no
// middleware, span, metric or log behind it can tell the token, for none can see it. The host, which is anyone's
// invention, goes out of the request as well.
func (s *Server) judge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, hooksPrefix) {
			next.ServeHTTP(w, r)
			return
		}
		sources := s.sources.Load()
		h := parseHook(rawPath(r))
		source, verdict := sources.authenticate(h)
		secret := sources.secret
		if verdict != event.Accepted {
			secret = secret.with(h.token)
		}
		j := &judged{source: source, verdict: verdict, host: secret.hide(r.Host), peer: peerAddr(r), client: s.proxies.client(r), secret: secret,
			hook: hook{source: secret.hide(h.source), step: secret.hide(h.step), path: secret.hidePath(h.path)}}
		masked := r.WithContext(context.WithValue(r.Context(), judgedKey{}, j))
		masked.URL = &url.URL{Path: maskedPath, RawQuery: secret.hide(r.URL.RawQuery)}
		masked.Method, masked.RequestURI, masked.Host, masked.Header = secret.hide(r.Method), maskedPath, "", secret.hideHeader(r.Header)
		next.ServeHTTP(w, masked)
	})
}

// rawPath is the path as the sender wrote it.
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if _, rest, absolute := strings.Cut(path, "://"); absolute && !strings.HasPrefix(path, "/") {
		_, path, _ = strings.Cut(rest, "/") // as to a proxy: http://host/path
		path = "/" + path
	}
	return path
}
