package ingest

import (
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
)

// url returns the endpoint's URL for a request whose path ends with rest after the token.
func (f *forwarder) url(rest, query string) (string, error) {
	to, _, _ := strings.Cut(f.Endpoint.URL, "#")
	to, own, _ := strings.Cut(to, "?")
	if f.appends(appendPath) {
		if climbs(rest) {
			return "", errors.New("the path has a segment . or .., which would lead out of the endpoint's path")
		}
		if rest = withoutSlashes(rest); rest != "" {
			to = strings.TrimRight(to, "/") + "/" + escaped(rest)
		}
	}
	if f.appends(appendQuery) {
		own = joinQueries(own, escaped(query))
	}
	if own != "" {
		to += "?" + own
	}
	return to, nil
}

// withoutSlashes removes the slashes at the beginning of a path, also encoded ones.
func withoutSlashes(path string) string {
	for {
		switch {
		case strings.HasPrefix(path, "/"):
			path = path[1:]
		case len(path) >= 3 && strings.EqualFold(path[:3], "%2f"):
			path = path[3:]
		default:
			return path
		}
	}
}

// climbs reports whether a path has a segment that servers resolve, however it is encoded. A subscriber may have
// written it: BotHelp fills fields into URLs.
func climbs(path string) bool {
	for range maxDecodings {
		for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '/' || r == '\\' }) {
			// Servlet containers cut parameters off a segment before they resolve it.
			if name, _, _ := strings.Cut(part, ";"); name == "." || name == ".." {
				return true
			}
		}
		plain := decoded(path)
		if plain == path {
			return false
		}
		path = plain
	}
	return true // nobody encodes a path so often in good faith
}

// maxDecodings is more often than any chain of servers decodes a path.
const maxDecodings = 5

// joinQueries appends a request's query to the endpoint's. Parameters of the endpoint replace those of the request with
// the same name, as its headers do.
func joinQueries(own, query string) string {
	if own == "" {
		return query
	}
	names := map[string]bool{}
	for pair := range strings.SplitSeq(own, "&") {
		names[parameter(pair)] = true
	}
	var joined strings.Builder
	joined.WriteString(own)
	for pair := range strings.SplitSeq(query, "&") {
		if pair != "" && !names[parameter(pair)] {
			joined.WriteString("&")
			joined.WriteString(pair)
		}
	}
	return joined.String()
}

// parameter returns the decoded name of a pair in a query.
func parameter(pair string) string {
	name, _, _ := strings.Cut(pair, "=")
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

// escaped encodes the bytes of a path or a query, as received, that a URL must not have there (RFC 3986): BotHelp does
// not encode what it fills into a URL. Bytes that are encoded already stay as they are.
func escaped(text string) string {
	var out strings.Builder
	for i := range len(text) {
		c := text[i]
		encoded := c == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2])
		if encoded || isAlphanumeric(c) || strings.IndexByte("-._~!$&'()*+,;=:@/?", c) >= 0 {
			out.WriteByte(c)
		} else {
			out.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return out.String()
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isAlphanumeric(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }
