package ingest

import (
	"math"
	"net/http"
	"slices"
	"strings"
)

const mask = "***"

// secrets masks tokens wherever they stand: in the place where they belong, in a URL whose parts were swapped, in a
// proxy's X-Original-URI, in a query.
type secrets struct {
	tokens   []string
	shortest int // of the tokens, in bytes
	replacer *strings.Replacer
}

func newSecrets(tokens []string) secrets {
	shortest, pairs := math.MaxInt, []string(nil)
	for _, token := range tokens {
		shortest, pairs = min(shortest, len(token)), append(pairs, token, mask)
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
	if strings.Contains(text, "%") {
		if plain := unescape(text); s.replacer.Replace(plain) != plain {
			return mask
		}
	}
	return text
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

// hideHeader returns a header without tokens: the same one, if it has none.
func (s secrets) hideHeader(header http.Header) http.Header {
	cloned := false
	for name, values := range header {
		for i, value := range values {
			hidden := s.hide(value)
			if hidden == value {
				continue
			}
			if !cloned {
				header, cloned = header.Clone(), true
			}
			header[name][i] = hidden
		}
	}
	return header
}
