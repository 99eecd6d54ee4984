package ingest

import (
	"errors"
	"fmt"
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
		if rest = strings.TrimLeft(rest, "/"); rest != "" {
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

// climbs reports whether a path has a segment that servers resolve, however it is encoded. A subscriber may have
// written it: BotHelp fills fields into URLs.
func climbs(path string) bool {
	for part := range strings.FieldsFuncSeq(decoded(path), func(r rune) bool { return r == '/' || r == '\\' }) {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

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
	joined := own
	for pair := range strings.SplitSeq(query, "&") {
		if pair != "" && !names[parameter(pair)] {
			joined += "&" + pair
		}
	}
	return joined
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
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isAlphanumeric(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' }
