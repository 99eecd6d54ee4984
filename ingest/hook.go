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

// hook is what a request's path says: /hooks/{source}/{token}[/{step}].
type hook struct {
	source, token, step string
	path                string // as it came, the token masked
}

// maxPrefix is how many segments of a path may precede the source.
const maxPrefix = 8

// segment is a part of a path between two slashes, still percent-encoded, and where it is.
type segment struct {
	raw  string
	from int
}

func (s segment) text() string { return decoded(s.raw) }

// segments splits a path at slashes and at %2F, a slash that somebody has encoded. Empty segments and single dots mean nothing.
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

// address reads a path as it came, still percent-encoded. The first two segments that are a source and its token make it a
// hook, whatever precedes them: a URL that was mistyped before its token brings a lead all the same. All that follows the
// token is the step. See hidden for how it is stored.
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
			begin = i + 1 // if none is accepted
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
		if at := strings.Index(given.raw, h.token); at >= 0 { // what a copied URL brought along stays beside the mask
			from, to = from+at, from+at+len(h.token)
		}
		h.path = path[:from] + redact.Mask + path[to:]
	}
	return h, source, verdict
}

// hidden is the hook as it is stored: without tokens, and its source and step as labels. A step that is too long is cut, not
// refused: the whole of it stays in the stored path, and a lead is worth more than a label.
func (h hook) hidden(secret secrets) hook {
	return hook{source: label(secret.hide(h.source)), step: label(secret.hide(h.step)), path: secret.hidePath(h.path)}
}

// tidy removes white space and invisible characters from both ends: copying a URL brings them along.
func tidy(text string) string {
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
}

// label makes a source or step of what a path says.
func label(text string) string { return chars.Cut(strings.ToValidUTF8(text, "\uFFFD"), maxStepBytes) }

// mistyped tells what is wrong with the stored path of an accepted event of a source; "" if it is that of its hook.
func mistyped(path, source string) string {
	parts := strings.SplitN(path, "/", 5)
	if len(parts) > 3 && parts[0] == "" && decoded(parts[1]) == hooksSegment && label(decoded(parts[2])) == source && parts[3] == redact.Mask {
		return ""
	}
	return "the path is not " + hookRoute + ": correct the URL in BotHelp"
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
		j := &judged{hook: h.hidden(secret), source: source, verdict: verdict, host: secret.hide(r.Host), peer: peerAddr(r), client: s.proxies.client(r), secret: secret}
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
	if target := c.framing.begun(); r.RequestURI == standIn && target != "" {
		return target
	}
	return r.RequestURI
}

// toHook reports whether a request without a valid token is one to a hook: by any method below the prefix, and by POST
// anywhere, because BotHelp posts, and its URL may have been mistyped.
func toHook(method, path string) bool {
	return strings.HasPrefix(decoded(path), hooksPrefix) || method == http.MethodPost
}

// pathOf is the path of a target as the sender wrote it, without its query.
func pathOf(target string) string {
	if _, rest, absolute := strings.Cut(target, "://"); absolute && !strings.HasPrefix(target, "/") {
		_, path, _ := strings.Cut(rest, "/") // as to a proxy: http://host/path
		return "/" + path
	}
	return target
}
