package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/idna"
	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"hooktape/internal/certificate"
)

// serverTLS is the key tls: what the listeners show of themselves.
type serverTLS struct {
	Cert         string   `yaml:"cert"`
	Key          string   `yaml:"key"`
	Autocert     []string `yaml:"autocert"`
	Email        string   `yaml:"email"`
	DirectoryURL string   `yaml:"directory_url"`
	HTTPAddr     string   `yaml:"http_addr"`
	API          bool     `yaml:"api"`
}

// on tells whether the hooks are taken by https.
func (t serverTLS) on() bool { return t.Cert != "" || len(t.Autocert) > 0 }

func (t serverTLS) check(check *checker) {
	files := t.Cert != "" || t.Key != ""
	switch {
	case files && len(t.Autocert) > 0:
		check.Unless(false, "tls.autocert", "cert and key exclude autocert: take the one or the other")
	case files && (t.Cert == "" || t.Key == ""):
		check.Unless(false, "tls", "needs both cert and key")
	case t.API && !t.on():
		check.Unless(false, "tls.api", "needs cert and key, or autocert")
	}
	for i, domain := range t.Autocert {
		ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
		if err != nil || strings.Index(ascii, ".") < 1 || net.ParseIP(ascii) != nil {
			check.Unless(false, fmt.Sprintf("tls.autocert[%d]", i), "%q is no domain such as hooks.example.org", domain)
		}
		t.Autocert[i] = ascii // as a client's handshake has it
	}
	if u, err := url.Parse(t.DirectoryURL); t.DirectoryURL != "" && (err != nil || u.Host == "" || u.Scheme != "https") {
		check.Unless(false, "tls.directory_url", "must be a URL such as https://acme-staging-v02.api.letsencrypt.org/directory")
	}
	for key, value := range map[string]string{"email": t.Email, "directory_url": t.DirectoryURL, "http_addr": t.HTTPAddr} {
		if value != "" && len(t.Autocert) == 0 {
			check.Unless(false, "tls."+key, "is of use with autocert only")
		}
	}
}

// scheme is how the hooks are reached.
func (c *config) scheme() string {
	if c.TLS.on() {
		return "https"
	}
	return "http"
}

// apiScheme is how the API is reached.
func (c *config) apiScheme() string {
	if c.TLS.API {
		return "https"
	}
	return "http"
}

// baseURL is what hook URLs begin with.
func (c *config) baseURL() string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	addr := c.IngestAddr
	if len(c.TLS.Autocert) > 0 {
		_, port, _ := net.SplitHostPort(addr)
		addr = net.JoinHostPort(c.TLS.Autocert[0], port)
	}
	if c.TLS.on() {
		addr = strings.TrimSuffix(addr, ":443")
	}
	return c.scheme() + "://" + addr
}

// acmeDir is where certificates of an authority are kept.
func (c *cli) acmeDir() string { return filepath.Join(c.Data, "autocert") }

// certificates are what a listener shows, and how they are kept up to date.
type certificates interface {
	Config() *tls.Config
	Run(ctx context.Context) error
}

// openTLS returns nil when the listeners speak plain HTTP.
func (p *process) openTLS(accepting *stage) (certificates, error) {
	t := p.cfg.TLS
	switch {
	case !t.on(), !p.parts.ingest && !t.API:
		return nil, nil
	case t.Cert != "":
		files, err := certificate.Open(t.Cert, t.Key, p.log)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		return files, nil
	case !p.parts.ingest:
		return nil, errors.New("tls.api with tls.autocert goes only where the hooks are taken too, for the authority asks there; take tls.cert and tls.key, or a proxy")
	}
	return p.openACME(accepting)
}

func (p *process) openACME(accepting *stage) (certificates, error) {
	t := p.cfg.TLS
	a, err := certificate.NewACME(certificate.ACMEOptions{Domains: t.Autocert, Email: t.Email, DirectoryURL: t.DirectoryURL,
		Cache: p.cli.acmeDir(), Logger: p.log})
	if err != nil || t.HTTPAddr == "" {
		return a, err
	}
	listener, err := p.listen(t.HTTPAddr, "tls.http_addr", ownHTTP)
	if err != nil {
		return nil, err
	}
	listener = netutil.LimitListener(listener, p.cfg.Ingest.MaxConnections)
	accepting.run(func(ctx context.Context) error { return p.serveHTTP(ctx, listener, a.Handler(p.toHTTPS())) })
	return a, nil
}

// toHTTPS sends whoever comes by plain HTTP to the hooks' own address, with method and body. A token that came this way
// could be read on the way, and not every sender follows: so the log says it.
func (p *process) toHTTPS() http.Handler {
	quiet := rate.Sometimes{First: 1, Interval: time.Minute}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hooks/") {
			quiet.Do(func() {
				p.log.Warn("a webhook came by plain HTTP and was sent on to https; give its sender the https URL")
			})
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(answerGrace)) // of a body that nobody reads
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, p.cfg.baseURL()+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
}
