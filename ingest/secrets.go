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

// secrets masks tokens wherever they are: in their place, in a URL whose parts were swapped, in a proxy's
// X-Original-URI, in a query, in a method, in the name of a header, in the body of a rejected request.
type secrets struct {
	tokens   []string
	shortest int // of the tokens, in bytes
	replacer *strings.Replacer
}

func newSecrets(tokens []string) secrets {
	shortest, pairs := math.MaxInt, []string(nil)
	for _, token := range tokens {
		shortest = min(shortest, len(token))
		pairs = append(pairs, token, redact.Mask)
	}
	return secrets{tokens, shortest, strings.NewReplacer(pairs...)}
}

// with returns secrets that also mask an invalid token: it may be an old one, or that of another installation. A short
// one may be a word, and is not masked.
func (s secrets) with(given string) secrets {
	if len(given) < 8 {
		return s
	}
	return newSecrets(append(slices.Clone(s.tokens), given))
}

// hide replaces each token in text by ***, or all of text if a token appears only after percent-decoding.
func (s secrets) hide(text string) string {
	if len(text) < s.shortest {
		return text // nearly always; decoding makes no text longer
	}
	text = s.replacer.Replace(text)
	if s.encodedIn(text) {
		return redact.Mask
	}
	return text
}

// encodings is how many times a text is decoded: proxies encode encoded text again.
const encodings = 3

// encodedIn reports whether a token appears after percent-decoding.
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

// decoded decodes percent-encoded bytes, and keeps a % that encodes nothing.
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

// hideCut is hideBytes for the start of a request: it also masks the first half of a token split by the cut.
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

// hidePath hides each segment separately, and keeps the other segments readable.
func (s secrets) hidePath(path string) string {
	if !strings.Contains(path, "%") {
		return s.hide(path) // nothing to decode
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
		if token = strings.ToLower(token); strings.Contains(lower, token) ||
			strings.Contains(strings.ToLower(decoded(name)), token) {
			return redact.Mask
		}
	}
	return name
}

// hideHeader returns a header without tokens: the same header if it has none.
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
