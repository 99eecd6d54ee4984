package push

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"hooktape/dashboards"
)

// Grafana is a client of one Grafana.
type Grafana struct {
	ctx   context.Context
	base  *url.URL
	token string
	http  http.Client
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
	// A redirect is not followed: a POST would become a GET, and the token would go to any host.
	client := http.Client{Timeout: timeout, Transport: http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Grafana{ctx, base, token, client}, nil
}

// Close closes idle connections.
func (g *Grafana) Close() { g.http.CloseIdleConnections() }

// get reads the JSON at a path.
func (g *Grafana) get(into any, path ...string) error {
	return g.call(http.MethodGet, nil, into, path...)
}

// call sends a JSON body, nil for none, and reads the answer into a value, unless that is nil. The error of an answer
// other than 2xx is a [*redirect] or a [*refusal].
func (g *Grafana) call(method string, body, into any, path ...string) error {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(g.ctx, method, g.base.JoinPath(path...).String(), &text)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+g.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := g.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch location, err := response.Location(); {
	case response.StatusCode >= http.StatusBadRequest:
		return refusalOf(response)
	case response.StatusCode >= http.StatusMultipleChoices && err == nil:
		return &redirect{location}
	case into == nil:
		return nil
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// redirect is the error for a redirect.
type redirect struct{ to *url.URL }

func (r *redirect) Error() string { return "redirected" }

// base returns the scheme and host of the target. Its path is that of one request.
func (r *redirect) base() string { return (&url.URL{Scheme: r.to.Scheme, Host: r.to.Host}).String() }

// refusal is the error for a status of 400 and above.
type refusal struct {
	status  int
	message string
	kind    string // Grafana's code for the reason, or empty
}

func (r *refusal) Error() string { return r.message }

// maxMessage limits how many bytes of an error response are read.
const maxMessage = 4 << 10

func refusalOf(response *http.Response) *refusal {
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	said := struct{ Message, Status string }{}
	if json.Unmarshal(text, &said) != nil || said.Message == "" {
		said.Message = fmt.Sprintf("status %d", response.StatusCode)
	}
	message, _, _ := strings.Cut(said.Message, "\n")
	return &refusal{response.StatusCode, message, said.Status}
}

// check finds problems with all objects before any change.
func (g *Grafana) check() error {
	var health struct{ Database, Version string }
	err := g.get(&health, "api/health")
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
	refused, ok := errors.AsType[*refusal](err)
	return ok && refused.status == http.StatusNotFound
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
	if notFound(err) {
		return fmt.Errorf("Grafana cannot %s at %s; check the URL's path", doing, g.base)
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		return g.explainRefusal(doing, refused)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("Grafana does not answer at %s: %w; check the URL, and that this machine reaches it", g.base,
			failed.Err)
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
