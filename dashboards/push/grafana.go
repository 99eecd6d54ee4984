package push

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"

	gapi "github.com/grafana/grafana-api-golang-client"

	"hooktape/dashboards"
)

// Grafana is a client of one Grafana.
type Grafana struct {
	base  *url.URL
	token string
	http  *http.Client
	api   *gapi.Client
}

// timeout limits each request.
const timeout = 30 * time.Second

// Open returns a client of the Grafana at an address. Its requests end with ctx. It does not connect. Its errors do not
// contain the address, which may contain a password.
func Open(ctx context.Context, address, token string) (*Grafana, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") || base.User != nil ||
		base.RawQuery != "" {
		return nil, errors.New("invalid URL of Grafana: want one such as https://grafana.example.org or " +
			"https://example.org/grafana, without user and query")
	}
	// GF_LOG makes the client library log whole requests, with the password of the data source.
	if err := os.Unsetenv("GF_LOG"); err != nil {
		return nil, err
	}
	g := &Grafana{base: base, token: token}
	g.http = &http.Client{Timeout: timeout, Transport: transport{ctx, http.DefaultTransport.(*http.Transport).Clone()}}
	g.api, err = gapi.New(address, gapi.Config{APIKey: token, Client: g.http})
	return g, err
}

// Close closes idle connections.
func (g *Grafana) Close() { g.http.Transport.(transport).next.CloseIdleConnections() }

// get requests a path for which the client library has no method.
func (g *Grafana) get(into any, path ...string) error {
	request, err := http.NewRequest(http.MethodGet, g.base.JoinPath(path...).String(), nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+g.token)
	response, err := g.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return gapi.ErrNotFound{}
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// check finds problems with all objects before any change.
func (g *Grafana) check() error {
	health, err := g.api.Health()
	switch {
	case notFound(err), err == nil && health.Database == "":
		return g.notGrafana()
	case err != nil:
		return g.explain("report its health", err)
	case tooOld(health.Version):
		return fmt.Errorf("Grafana %s is too old: the dashboards need 9.4 at least, and are made for 10 to 13; "+
			"update Grafana", health.Version)
	}
	var plugin any
	if err := g.get(&plugin, "api/plugins", dashboards.PluginID, "settings"); notFound(err) {
		return fmt.Errorf("Grafana has no plugin %s; install it (grafana cli plugins install %[1]s, in Docker "+
			"GF_INSTALL_PLUGINS=%[1]s), and start Grafana again", dashboards.PluginID)
	} else if err != nil {
		return g.explain("read plugins", err)
	}
	return nil
}

var majorMinor = regexp.MustCompile(`^(\d+)\.(\d+)`)

// tooOld reports whether a version is known to be older than 9.4. Grafana may hide its version.
func tooOld(version string) bool {
	m := majorMinor.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return major < 9 || major == 9 && minor < 4
}

func notFound(err error) bool {
	_, yes := errors.AsType[gapi.ErrNotFound](err)
	return yes
}

func (g *Grafana) notGrafana() error {
	return fmt.Errorf("the server at %s is not Grafana; give the address that a browser shows when Grafana is open, "+
		"up to /login or /dashboards", g.base)
}

// explain turns an error into a sentence: what failed, and what to do.
func (g *Grafana) explain(doing string, err error) error {
	if moved, ok := errors.AsType[*redirect](err); ok {
		return fmt.Errorf("%s redirects to %s; give the address that Grafana itself answers at", g.base, moved.base())
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		return g.explainRefusal(doing, refused)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("Grafana does not answer at %s: %w; check the URL, and that this machine reaches it", g.base,
			failed.Err)
	}
	if notFound(err) {
		return fmt.Errorf("Grafana cannot %s at %s; check the URL's path", doing, g.base)
	}
	return g.notGrafana()
}

func (g *Grafana) explainRefusal(doing string, r *refusal) error {
	switch r.status {
	case http.StatusUnauthorized:
		return fmt.Errorf("Grafana does not accept the token: %w; create one in Grafana under Administration, "+
			"Service accounts, for an account with the role Admin", r)
	case http.StatusForbidden:
		return fmt.Errorf("Grafana does not let this token %s: %w; give its service account the role Admin", doing, r)
	}
	return fmt.Errorf("Grafana does not %s: %w; its log says more", doing, r)
}
