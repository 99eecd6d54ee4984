package replay

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// CheckURL says what is wrong with an endpoint's URL. It shows nothing of the URL: of one that is wrong nobody can say
// what in it is a secret.
func CheckURL(raw string) error {
	if err := checkURL(raw); err != nil {
		return fmt.Errorf("endpoint URL: %w", err)
	}
	return nil
}

func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	switch {
	case err != nil:
		return err
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

const mask = "***"

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
			params[i] = name + "=" + mask
		} else if param != "" {
			params[i] = mask // a name without a value, or a secret without a name
		}
	}
	return before + "?" + strings.Join(params, "&")
}
