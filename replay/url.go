package replay

import (
	"crypto/sha256"
	"encoding/hex"
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

// CleanURL returns an endpoint's URL as it is called, shown and compared: without white space and invisible characters at its
// ends, the scheme and the host in lower case, the host in ASCII (UTS #46, as net/http does). All else stays as it is written.
// An error shows nothing of the URL, any part of which may be a secret.
func CleanURL(raw string) (string, error) {
	clean, err := cleanURL(raw)
	if err != nil {
		return "", fmt.Errorf("endpoint URL: %w", err)
	}
	return clean, nil
}

func cleanURL(raw string) (string, error) {
	raw = trim(raw)
	if strings.ContainsFunc(raw, invisible) {
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

// asciiHost converts the host of an authority, such as Example.com:80. A host in ASCII keeps what is no domain name, such as
// an underscore; so does net/http.
func asciiHost(authority string) (string, error) {
	if address, zone, found := strings.Cut(authority, "%"); found && strings.HasPrefix(authority, "[") {
		return strings.ToLower(address) + "%" + zone, nil // names of interfaces have a case
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
		return "", errors.New("names a host that is no internationalized domain name")
	}
	if u.Port() != "" {
		host += ":" + u.Port()
	}
	return host, nil
}

// trim removes white space and invisible characters, which copying a URL or a name brings along, from both ends.
func trim(s string) string { return strings.TrimFunc(s, invisible) }

func invisible(r rune) bool {
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
		return errors.New("must have no user and password: they would be stored with each attempt; set a header in their place")
	case u.Hostname() == "":
		return errors.New("names no host")
	case u.Port() != "" && !validPort(u.Port()):
		return errors.New("must have a port between 1 and 65535")
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// StoredURL is the URL as attempts, logs and people may have it: with the values of its query masked, for ?token=… is
// how many receivers take their secret. All else is as it was written.
func (e Endpoint) StoredURL() string {
	sent, _, _ := strings.Cut(e.URL, "#")
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

// TargetName returns the name that deliveries have for an endpoint: a configured name as it is, for a URL the URL without the
// secrets in its query, and what tells it from others. A name of a URL, also one of an older version, stays as it is.
func TargetName(endpoint string) string {
	if !strings.Contains(endpoint, "://") {
		return endpoint
	}
	if clean, err := cleanURL(endpoint); err == nil {
		endpoint = clean
	}
	return adHocName(endpoint)
}

// adHocName returns the name of an endpoint that is a URL. It is in every row, so it must not hold the secrets of a query, and it
// is what a delivery goes by, so it must differ where the URL does: ?action=lead and ?action=deal are two targets. Hence the
// masked URL with the beginning of the URL's SHA-256. These 32 bits tell targets apart; they find no secret of the length that
// secrets have, but who guesses a short one can check the guess.
func adHocName(url string) string {
	stored := Endpoint{URL: url}.StoredURL()
	sent, fragment, _ := strings.Cut(url, "#")
	switch {
	case stored != sent:
		sum := sha256.Sum256([]byte(sent))
		return stored + "#" + hex.EncodeToString(sum[:nameHash])
	case strings.Contains(sent, "?") && isNameHash(fragment):
		return url
	}
	return stored
}

// nameHash is how many bytes of a hash a name has.
const nameHash = 4

func isNameHash(s string) bool {
	sum, err := hex.DecodeString(s)
	return err == nil && len(sum) == nameHash
}
