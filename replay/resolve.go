package replay

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// targetURL is what a replay keeps of where it sends to: the URL, when nothing else names it; of a configured endpoint what
// may be shown, for the configuration has the rest.
func (e Endpoint) targetURL() string {
	if e.adHoc {
		return e.URL
	}
	return e.StoredURL()
}

// resolve finds the endpoint of a name, or makes one of a URL.
func resolve(endpoints []Endpoint, allowPrivate bool, name, rawURL string) (Endpoint, error) {
	if i := slices.IndexFunc(endpoints, func(e Endpoint) bool { return e.Name == name }); i >= 0 {
		return endpoints[i], nil
	}
	if strings.Contains(rawURL, "://") {
		clean, err := CleanURL(rawURL)
		if err != nil {
			return Endpoint{}, invalid("%v", err)
		}
		e := AdHoc(clean, allowPrivate)
		if e.Name == clean && strings.Contains(clean, "#") {
			return Endpoint{}, invalid("%s is the name of a target, without the secrets of its query: give the whole URL", clean)
		}
		return e, nil
	}
	known := make([]string, len(endpoints))
	for i, e := range endpoints {
		known[i] = e.Name
	}
	if len(known) == 0 {
		return Endpoint{}, invalid("there is no endpoint %q: none is configured; give a URL, or add it to endpoints in the configuration", name)
	}
	return Endpoint{}, invalid("there is no endpoint %q; the configuration has %s; a URL will do as well", name, strings.Join(known, ", "))
}

// reachable refuses early what every attempt would refuse: an endpoint on an address that is not allowed. A name that
// does not resolve now may do so later.
func (s *Service) reachable(ctx context.Context, e Endpoint) error {
	u, err := url.Parse(e.URL)
	if err != nil {
		return invalid("%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		err := checkTarget(ctx, &e, s.Own, net.JoinHostPort(addr.String(), portOf(u)))
		if forbidden, ok := errors.AsType[*ForbiddenAddrError](err); ok {
			return invalid("%s: %v", u.Hostname(), forbidden)
		}
	}
	return nil
}

// portOf is the port that a URL leads to.
func portOf(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}
