package ingest

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hooktape/internal/redact"
)

// secrets masks tokens wherever they stand: in the place where they belong, in a URL whose parts were swapped, in a
// proxy's X-Original-URI, in a query, in a method, in the name of a header, in the body of a rejected request.
type secrets struct {
	tokens   []string
	shortest int // of the tokens, in bytes
	replacer *strings.Replacer
}

func newSecrets(tokens []string) secrets {
	shortest, pairs := math.MaxInt, []string(nil)
	for _, token := range tokens {
		shortest, pairs = min(shortest, len(token)), append(pairs, token, redact.Mask)
	}
	return secrets{tokens, shortest, strings.NewReplacer(pairs...)}
}

// with returns secrets that also mask what was given as a token and is none: it may be one of yesterday, or of a
// neighbour. What is short enough to be a word is left alone.
func (s secrets) with(given string) secrets {
	if len(given) < 8 {
		return s
	}
	return newSecrets(append(slices.Clone(s.tokens), given))
}

// hide returns text with *** for each token, or for all of it when a token shows only after percent-decoding.
func (s secrets) hide(text string) string {
	if len(text) < s.shortest {
		return text // as nearly all are; decoding makes none longer
	}
	text = s.replacer.Replace(text)
	if s.encodedIn(text) {
		return redact.Mask
	}
	return text
}

// encodings is how often a text is decoded: proxies encode what is encoded already.
const encodings = 3

// encodedIn reports whether a token shows after percent-decoding.
func (s secrets) encodedIn(text string) bool {
	for range encodings {
		if !strings.Contains(text, "%") {
			return false
		}
		text = decoded(text)
		if s.replacer.Replace(text) != text {
			return true
		}
	}
	return false
}

// decoded decodes what is percent-encoded, and leaves a % alone that encodes nothing.
func decoded(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '%' && i+2 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				c, i = byte(code), i+2
			}
		}
		out.WriteByte(c)
	}
	return out.String()
}

// hideBytes is hide for a body.
func (s secrets) hideBytes(body []byte) []byte {
	if hidden := s.hide(string(body)); hidden != string(body) {
		return []byte(hidden)
	}
	return slices.Clip(body)
}

// hideCut is hideBytes for the start of something: a token that the cut has split does not show its first half.
func (s secrets) hideCut(start []byte) []byte {
	for _, token := range s.tokens {
		for n := min(len(token), len(start)); n > 0; n-- {
			if bytes.HasSuffix(start, []byte(token[:n])) {
				start = append(slices.Clone(start[:len(start)-n]), redact.Mask...)
				break
			}
		}
	}
	return s.hideBytes(start)
}

// hidePath hides segment by segment, so that the rest of the path stays readable.
func (s secrets) hidePath(path string) string {
	if !strings.Contains(path, "%") {
		return s.hide(path) // there is nothing to decode: the whole is as good
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = s.hide(segment)
	}
	return strings.Join(segments, "/")
}

// hideName returns *** for the name of a header that contains a token. net/http changes the case of names.
func (s secrets) hideName(name string) string {
	if len(name) < s.shortest {
		return name
	}
	lower := strings.ToLower(name)
	for _, token := range s.tokens {
		if token = strings.ToLower(token); strings.Contains(lower, token) || strings.Contains(strings.ToLower(decoded(name)), token) {
			return redact.Mask
		}
	}
	return name
}

// hideHeader returns a header without tokens: the same one, if it has none.
func (s secrets) hideHeader(header http.Header) http.Header {
	cloned := false
	for name, values := range header {
		shown := s.hideName(name)
		for i, value := range values {
			hidden := s.hide(value)
			if hidden == value && shown == name {
				continue
			}
			if !cloned {
				header, cloned = header.Clone(), true
			}
			header[name][i] = hidden
		}
		if shown != name {
			header[shown] = append(header[shown], header[name]...)
			delete(header, name)
		}
	}
	return header
}
