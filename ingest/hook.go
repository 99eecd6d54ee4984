package ingest

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"

	"hooktape/internal/chars"
	"hooktape/internal/event"
	"hooktape/internal/redact"
)

const (
	hooksSegment = "hooks"
	hooksPrefix  = "/" + hooksSegment + "/"
	maskedPath   = hooksPrefix + redact.Mask
	maxStepBytes = 128
)

// hook is a request's parsed path: /hooks/{source}/{token}[/{step}].
type hook struct {
	source, token, step string
	path                string // as received, with the token masked
	rest                string // the part of path after the token
}

// maxPrefix is the largest number of segments before the source.
const maxPrefix = 8

// segment is a part of a path between two slashes, still percent-encoded, and its offset.
type segment struct {
	raw  string
	from int
}

func (s segment) text() string { return decoded(s.raw) }

// segments splits a path at slashes and at %2F, an encoded slash. It drops empty segments and single dots.
func segments(path string) (list []segment) {
	from := 0
	end := func(at, separator int) {
		if raw := path[from:at]; raw != "" && raw != "." {
			list = append(list, segment{raw, from})
		}
		from = at + separator
	}
	for i := 0; i < len(path); i++ {
		if path[i] == '/' {
			end(i, 1)
		} else if len(path) >= i+3 && strings.EqualFold(path[i:i+3], "%2f") {
			end(i, 3)
			i += 2
		}
	}
	end(len(path), 0)
	return list
}

// address parses a path as received, still percent-encoded. The first two segments that are a source and its token make
// it a hook, whatever precedes them: a URL with a typo before its token still delivers a lead. Everything after the
// token is the step. See hidden for the stored form.
//
// The verdict is Accepted, UnknownSource or BadToken; the source is nil unless it was accepted.
func (s *Sources) address(path string) (h hook, source *Source, verdict event.Verdict) {
	list := segments(path)
	text := func(i int) string {
		if i < len(list) {
			return list[i].text()
		}
		return ""
	}
	begin := 0
	for i := range min(maxPrefix, len(list)) {
		if strings.EqualFold(text(i), hooksSegment) {
			begin = i + 1 // unless another source is accepted
			break
		}
	}
	source, verdict = s.authenticate(label(text(begin)), text(begin+1))
	for i := 0; i < min(maxPrefix, len(list)) && source == nil; i++ {
		if found, _ := s.authenticate(label(text(i)), text(i+1)); found != nil {
			begin, source, verdict = i, found, event.Accepted
		}
	}
	h.source, h.token, h.path = text(begin), text(begin+1), path
	if source != nil {
		h.source, h.token = source.Name, tidy(h.token)
	}
	var step []string
	for _, part := range list[min(begin+2, len(list)):] {
		step = append(step, part.raw)
	}
	h.step = decoded(strings.Join(step, "/"))
	if h.token != "" {
		given := list[begin+1]
		from, to := given.from, given.from+len(given.raw)
		if at := strings.Index(given.raw, h.token); at >= 0 { // characters copied with the URL stay beside the mask
			from, to = from+at, from+at+len(h.token)
		}
		h.path = path[:from] + redact.Mask + path[to:]
		h.rest = path[given.from+len(given.raw):]
	}
	return h, source, verdict
}

// hidden returns the stored form of the hook: without tokens, and with source and step as labels. It cuts a step that
// is too long: the stored path contains all of it, and a lead is worth more than a label.
func (h hook) hidden(secret secrets) hook {
	return hook{source: label(secret.hide(h.source)), step: label(secret.hide(h.step)), path: secret.hidePath(h.path),
		rest: secret.hidePath(h.rest)}
}

// tidy removes white space and invisible characters from both ends: copying a URL brings them along.
func tidy(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
}

// label returns text of a path as a source or step.
func label(text string) string { return chars.Cut(strings.ToValidUTF8(text, "\uFFFD"), maxStepBytes) }

// mistyped describes the error in the stored path of an accepted event. It returns "" for the path of the source's
// hook.
func mistyped(path, source string) string {
	parts := strings.SplitN(path, "/", 5)
	if len(parts) > 3 && parts[0] == "" && decoded(parts[1]) == hooksSegment && label(decoded(parts[2])) == source &&
		parts[3] == redact.Mask {
		return ""
	}
	return "the path is not " + hookRoute + ": correct the URL in BotHelp"
}

// judged is a request to a hook: its parsed path, the verdict on source and token, and later the captured event.
type judged struct {
	hook
	source  *Source // nil unless accepted
	verdict event.Verdict
	host    string
	peer    netip.Addr // of the connection
	client  netip.Addr // the peer, or the client named by a trusted proxy
	secret  secrets
	memory  reservation

	captured *event.Received // nil at first
	id       string          // of captured
	appended time.Duration   // the time to put it on disk; 0 if it is not on disk
	broken   bool            // the answer must not look complete
}

type judgedKey struct{}

// judgedOf returns the judged request, or nil if it is not one to a hook.
func judgedOf(r *http.Request) *judged {
	h, _ := r.Context().Value(judgedKey{}).(*judged)
	return h
}

// judge runs before all other handlers. It removes the token from the URL, and from wherever else it is, so no later
// middleware, span, metric or log can reveal it. It also removes the host, which the sender may have invented.
func (s *Server) judge(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, query, _ := strings.Cut(s.begin(r), "?")
		path = pathOf(path)
		if path == healthPath || path == readyPath {
			next.ServeHTTP(w, r)
			return
		}
		sources := s.sources.Load()
		h, source, verdict := sources.address(path)
		if source == nil && !toHook(r.Method, path) {
			next.ServeHTTP(w, r)
			return
		}
		secret := sources.secret
		if verdict != event.Accepted {
			secret = secret.with(h.token)
		}
		j := &judged{hook: h.hidden(secret), source: source, verdict: verdict, host: secret.hide(r.Host),
			peer: peerAddr(r), client: s.proxies.client(r), secret: secret}
		masked := r.WithContext(context.WithValue(r.Context(), judgedKey{}, j))
		masked.URL = &url.URL{Path: maskedPath, RawQuery: secret.hide(query)}
		masked.Method = secret.hide(r.Method)
		masked.RequestURI = maskedPath
		masked.Host = ""
		masked.Header = secret.hideHeader(r.Header)
		next.ServeHTTP(w, masked)
	})
}

// begin marks the request as handled, and returns its target as received.
func (s *Server) begin(r *http.Request) string {
	c, _ := r.Context().Value(streamKey{}).(*stream)
	if c == nil {
		return r.RequestURI
	}
	c.handled = true
	if target := c.framing.begun(); r.RequestURI == placeholder && target != "" {
		return target
	}
	return r.RequestURI
}

// toHook reports whether a request without a valid token counts as one to a hook: any method below the prefix, and
// every POST, because BotHelp posts, and its URL may have a typo.
func toHook(method, path string) bool {
	return strings.HasPrefix(decoded(path), hooksPrefix) || method == http.MethodPost
}

// pathOf returns the path of a target as received, without its query.
func pathOf(target string) string {
	if _, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		_, path, _ := strings.Cut(rest, "/") // the form for proxies: http://host/path
		return "/" + path
	}
	return target
}
