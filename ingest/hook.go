package ingest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	hooksPrefix  = "/hooks/"
	mask         = "***"
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
	parts := strings.SplitN(strings.TrimPrefix(path, hooksPrefix), "/", 3)
	h := hook{source: unescape(parts[0]), path: path}
	if len(parts) > 1 && parts[1] != "" {
		h.token = unescape(parts[1])
		parts[1] = mask
		h.path = hooksPrefix + strings.Join(parts, "/")
	}
	if len(parts) > 2 {
		h.step = cutUTF8(strings.ToValidUTF8(unescape(parts[2]), "\uFFFD"), maxStepBytes)
	}
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

type hookKey struct{}

// hideToken stands in front of everything else. It moves the token from the URL to the context, where only the receiver
// looks for it: no middleware, span, metric or log behind it can tell the token, for none can see it.
func hideToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, hooksPrefix) {
			next.ServeHTTP(w, r)
			return
		}
		h := parseHook(rawPath(r))
		masked := r.WithContext(context.WithValue(r.Context(), hookKey{}, h))
		masked.URL = &url.URL{Path: h.path, RawQuery: r.URL.RawQuery}
		masked.RequestURI = masked.URL.RequestURI()
		next.ServeHTTP(w, masked)
	})
}

// rawPath is the path as the sender wrote it.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}
