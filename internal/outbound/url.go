package outbound

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"hooktape/internal/redact"
)

// CleanURL returns an endpoint's URL in the form that is sent to, shown and compared: without white space and invisible
// characters at its ends, with scheme and host in lower case and the host in ASCII (UTS #46, as in net/http). The rest
// stays unchanged. Any part of a URL may be a secret, so errors contain nothing of it.
func CleanURL(raw string) (string, error) {
	clean, err := cleanURL(raw)
	if err != nil {
		return "", fmt.Errorf("endpoint URL: %w", err)
	}
	return clean, nil
}

func cleanURL(raw string) (string, error) {
	raw = Trim(raw)
	if strings.ContainsFunc(raw, Invisible) {
		return "", errors.New("must have no white space or invisible character; write a space as %20")
	}
	if err := checkURL(raw); err != nil {
		return "", err
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, err := asciiHost(rest[:end])
	return strings.ToLower(scheme) + "://" + authority + rest[end:], err
}

// asciiHost converts the host of an authority, such as Example.com:80. Like net/http it leaves a host in ASCII alone,
// even if it is no domain name because of an underscore.
func asciiHost(authority string) (string, error) {
	if address, zone, found := strings.Cut(authority, "%"); found && strings.HasPrefix(authority, "[") {
		return strings.ToLower(address) + "%" + zone, nil // names of interfaces are case-sensitive
	}
	u, err := url.Parse("//" + authority)
	if err != nil {
		return "", err
	}
	host := u.Hostname()
	if strings.IndexFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) < 0 {
		return strings.ToLower(authority), nil
	}
	if host, err = idna.Lookup.ToASCII(host); err != nil {
		return "", errors.New("must have a host that is a valid internationalized domain name")
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	return host, nil
}

// Trim removes white space and invisible characters from both ends. Copying a URL or a name often adds them.
func Trim(s string) string { return strings.TrimFunc(s, Invisible) }

// Invisible reports whether a character is white space, or one that is copied along unnoticed.
func Invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return redact.WithoutURL(err)
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must begin with http:// or https://")
	case u.User != nil:
		return errors.New("must have no user and password: they would be stored with each attempt; " +
			"set a header instead")
	case u.Hostname() == "":
		return errors.New("must have a host")
	case u.Port() != "" && !validPort(u.Port()):
		return errors.New("must have a port between 1 and 65535")
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// MaskQuery masks the values in the query of a URL and drops its fragment.
func MaskQuery(raw string) string {
	sent, _, _ := strings.Cut(raw, "#")
	before, query, found := strings.Cut(sent, "?")
	if !found {
		return before
	}
	params := strings.Split(query, "&")
	for i, param := range params {
		if name, _, pair := strings.Cut(param, "="); pair {
			params[i] = name + "=" + redact.Mask
		} else if param != "" {
			params[i] = redact.Mask // a name without a value, or a secret without a name
		}
	}
	return before + "?" + strings.Join(params, "&")
}
