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

// Grafana is one Grafana, and the right to change it.
type Grafana struct {
	base  *url.URL
	token string
	http  *http.Client
	api   *gapi.Client
}

// patience is how long a Grafana may take to answer.
const patience = 30 * time.Second

// Open prepares for the Grafana at an address, for as long as ctx lasts. It does not connect.
func Open(ctx context.Context, address, token string) (*Grafana, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") || base.User != nil || base.RawQuery != "" {
		// Without its text, which may have a password.
		return nil, errors.New("the URL of Grafana is none such as https://grafana.example.org or https://example.org/grafana; who asks is said by a token, not in the URL")
	}
	// With it set the client library logs whole requests, the password of the data source among them.
	if err := os.Unsetenv("GF_LOG"); err != nil {
		return nil, err
	}
	g := &Grafana{base: base, token: token}
	g.http = &http.Client{Timeout: patience, Transport: transport{ctx, http.DefaultTransport.(*http.Transport).Clone()}}
	g.api, err = gapi.New(address, gapi.Config{APIKey: token, Client: g.http})
	return g, err
}

// Close lets go of the connections.
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
		return fmt.Errorf("Grafana %s is too old: the dashboards need 9.4 at least, and are made for 10 to 13; update Grafana", health.Version)
	}
	var plugin any
	if err := g.get(&plugin, "api/plugins", dashboards.PluginID, "settings"); notFound(err) {
		return fmt.Errorf("Grafana has no plugin %s; install it (grafana cli plugins install %[1]s, in Docker GF_INSTALL_PLUGINS=%[1]s), and start Grafana again", dashboards.PluginID)
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
	return fmt.Errorf("the server at %s is not Grafana; give the address that a browser shows when Grafana is open, up to /login or /dashboards", g.base)
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
		return fmt.Errorf("Grafana does not answer at %s: %w; check the URL, and that this machine reaches it", g.base, failed.Err)
	}
	if notFound(err) {
		return fmt.Errorf("Grafana cannot %s at %s; check the URL's path", doing, g.base)
	}
	return g.notGrafana()
}

func (g *Grafana) explainRefusal(doing string, r *refusal) error {
	switch r.status {
	case http.StatusUnauthorized:
		return fmt.Errorf("Grafana does not accept the token: %w; create one in Grafana under Administration, Service accounts, for an account with the role Admin", r)
	case http.StatusForbidden:
		return fmt.Errorf("Grafana does not let this token %s: %w; give its service account the role Admin", doing, r)
	}
	return fmt.Errorf("Grafana does not %s: %w; its log says more", doing, r)
}
