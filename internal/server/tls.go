package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/time/rate"

	"hooktape/internal/certificate"
	"hooktape/internal/config"
)

// certificates are those of the listeners. Run keeps them up to date.
type certificates interface {
	Config() *tls.Config
	Run(ctx context.Context) error
}

// openTLS returns nil if the listeners speak plain HTTP.
func (p *process) openTLS(accepting *stage) (certificates, error) {
	t := p.cfg.TLS
	switch {
	case !t.On(), !p.Parts.Ingest && !t.API:
		return nil, nil
	case t.Cert != "":
		files, err := certificate.Open(t.Cert, t.Key, p.Logger)
		if err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
		return files, nil
	case !p.Parts.Ingest:
		return nil, errors.New("tls.api with tls.autocert goes only where the hooks are taken too, for the authority " +
			"asks there; take tls.cert and tls.key, or a proxy")
	}
	return p.openACME(accepting)
}

func (p *process) openACME(accepting *stage) (certificates, error) {
	t := p.cfg.TLS
	a, err := certificate.NewACME(certificate.ACMEOptions{
		Domains:      t.Autocert,
		Email:        t.Email,
		DirectoryURL: t.DirectoryURL,
		Cache:        p.File.Data.ACME(),
		Logger:       p.Logger,
	})
	if err != nil || t.HTTPAddr == "" {
		return a, err
	}
	listener, err := p.listen(t.HTTPAddr, "tls.http_addr", config.OwnHTTP)
	if err != nil {
		return nil, err
	}
	listener = netutil.LimitListener(listener, p.cfg.Ingest.MaxConnections)
	accepting.run(func(ctx context.Context) error { return p.serveHTTP(ctx, listener, a.Handler(p.toHTTPS())) })
	return a, nil
}

// toHTTPS redirects plain HTTP to the address of the hooks, with method and body. It logs a redirected webhook, because
// its token could be read on the network, and not every sender follows a redirect.
func (p *process) toHTTPS() http.Handler {
	log := rate.Sometimes{First: 1, Interval: time.Minute}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hooks/") {
			log.Do(func() {
				p.Logger.Warn("a webhook came by plain HTTP and was sent on to https; give its sender the https URL")
			})
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(answerGrace)) // the body is not read
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, p.cfg.BaseURL()+r.URL.RequestURI(), http.StatusPermanentRedirect)
	})
}
