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
	hooksSegment = "hooks"
	hooksPrefix  = "/" + hooksSegment + "/"
	maskedPath   = hooksPrefix + mask
	maxStepBytes = 128
)

// hook is what a request's path says: /hooks/{source}/{token}[/{step}].
type hook struct {
	source, token, step string
	path                string // as it came, the token masked
}

// maxPrefix is how many segments of a path may precede the source.
const maxPrefix = 8

// address reads a path as it came, still percent-encoded. The first two segments that are a source and its token make it a
// hook, whatever precedes them: a URL that was mistyped before its token brings a lead all the same. Empty segments mean
// nothing. All that follows the token is the step. A step that is too long is cut, not refused: the whole of it stays in
// the stored path, and a lead is worth more than a label.
//
// The verdict is Accepted, UnknownSource or BadToken; the source is nil unless it was accepted.
func (s *Sources) address(path string) (h hook, source *Source, verdict event.Verdict) {
	parts := strings.Split(path, "/")
	var segments []int // the parts that say something
	for i, part := range parts {
		if part != "" && part != "." {
			segments = append(segments, i)
		}
	}
	segment := func(i int) string {
		if i < len(segments) {
			return decoded(parts[segments[i]])
		}
		return ""
	}
	begin := 0
	for i := range min(maxPrefix, len(segments)) {
		if strings.EqualFold(segment(i), hooksSegment) {
			begin = i + 1 // if none is accepted
			break
		}
	}
	source, verdict = s.authenticate(label(segment(begin)), segment(begin+1))
	for i := 0; i < min(maxPrefix, len(segments)) && source == nil; i++ {
		if found, _ := s.authenticate(label(segment(i)), segment(i+1)); found != nil {
			begin, source, verdict = i, found, event.Accepted
		}
	}
	h.source, h.token = label(segment(begin)), segment(begin+1)
	var step []string
	for _, i := range segments[min(begin+2, len(segments)):] {
		step = append(step, parts[i])
	}
	h.step = label(decoded(strings.Join(step, "/")))
	if h.token != "" {
		parts[segments[begin+1]] = mask
	}
	h.path = strings.Join(parts, "/")
	return h, source, verdict
}

// label makes a source or step of what a path says.
func label(text string) string { return cutUTF8(strings.ToValidUTF8(text, "\uFFFD"), maxStepBytes) }

// mistyped tells what is wrong with the stored path of an accepted event; "" if it is a hook's.
func mistyped(path string) string {
	parts := strings.SplitN(path, "/", 5)
	if len(parts) > 3 && parts[0] == "" && decoded(parts[1]) == hooksSegment && parts[2] != "." && parts[3] == mask {
		return ""
	}
	return "the path is not " + hookRoute + ": correct the URL in BotHelp"
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
		path, query, _ := strings.Cut(s.begin(r), "?")
		path = pathOf(path)
		if !toHook(r.Method, path) {
			next.ServeHTTP(w, r)
			return
		}
		sources := s.sources.Load()
		h, source, verdict := sources.address(path)
		secret := sources.secret
		if verdict != event.Accepted {
			secret = secret.with(h.token)
		}
		j := &judged{source: source, verdict: verdict, host: secret.hide(r.Host), peer: peerAddr(r), client: s.proxies.client(r), secret: secret,
			hook: hook{source: secret.hide(h.source), step: secret.hide(h.step), path: secret.hidePath(h.path)}}
		masked := r.WithContext(context.WithValue(r.Context(), judgedKey{}, j))
		masked.URL = &url.URL{Path: maskedPath, RawQuery: secret.hide(query)}
		masked.Method, masked.RequestURI, masked.Host, masked.Header = secret.hide(r.Method), maskedPath, "", secret.hideHeader(r.Header)
		next.ServeHTTP(w, masked)
	})
}

// begin notes that a handler has the request, and returns its target as it came.
func (s *Server) begin(r *http.Request) string {
	c, _ := r.Context().Value(streamKey{}).(*stream)
	if c == nil {
		return r.RequestURI
	}
	c.handled = true
	if h := c.framing.next(); r.RequestURI == standIn && h.target != "" {
		return h.target
	}
	return r.RequestURI
}

// toHook reports whether a request is one to a hook: by any method below the prefix, and by POST wherever no probe is,
// because BotHelp posts, and its URL may have been mistyped.
func toHook(method, path string) bool {
	return strings.HasPrefix(decoded(path), hooksPrefix) || method == http.MethodPost && path != healthPath && path != readyPath
}

// pathOf is the path of a target as the sender wrote it, without its query.
func pathOf(target string) string {
	if _, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		_, path, _ := strings.Cut(rest, "/") // as to a proxy: http://host/path
		return "/" + path
	}
	return target
}
