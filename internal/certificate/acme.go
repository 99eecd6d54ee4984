package certificate

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/time/rate"
)

// ACMEOptions name the domains and the certificate authority.
type ACMEOptions struct {
	Domains []string // in lower-case ASCII, without a dot at the end
	// Email is the address that the authority writes to about problems. It may be empty.
	Email string
	// DirectoryURL is the URL of the authority's directory (RFC 8555, section 7.1.1). The default is Let's Encrypt's.
	DirectoryURL string
	// Cache is the directory of certificates and the account's key. If it does not exist it is created with mode 0700.
	Cache  string
	Logger *slog.Logger
}

// ACME gets certificates from an authority, and renews them in time. The authority checks the domain by a handshake
// with the listener itself (TLS-ALPN-01, at port 443 of the domain), or by a request to Handler (HTTP-01, at its port
// 80).
type ACME struct {
	manager *autocert.Manager
	options ACMEOptions
	own     *tls.Certificate
	got     sync.Map // *tls.Certificate by domain, as Run, or a handshake before it, saw it last
}

// NewACME asks for nothing yet; Run does. It accepts the authority's terms of service.
func NewACME(o ACMEOptions) (*ACME, error) {
	own, err := SelfSigned()
	if err != nil {
		return nil, err
	}
	return &ACME{options: o, own: own, manager: &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Cache), HostPolicy: autocert.HostWhitelist(o.Domains...),
		Email:  o.Email,
		Client: &acme.Client{DirectoryURL: o.DirectoryURL, UserAgent: "hooktape"},
	}}, nil
}

// Config returns the configuration for a listener. A client that names no host could not verify a certificate, and gets
// a self-signed one: health checks on this machine need no authority, and scanners of addresses learn no name.
func (a *ACME) Config() *tls.Config {
	return config(a.certificate, acme.ALPNProto)
}

// certificate returns the certificate for a handshake. Only Run requests new ones: if each webhook that finds none did,
// the authority's rate limit would be exceeded soon.
func (a *ACME) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	domain := strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
	switch {
	case domain == "":
		return a.own, nil
	case !slices.Contains(a.options.Domains, domain):
		return nil, fmt.Errorf("%q is none of our domains", domain)
	case slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}):
		return a.manager.GetCertificate(hello) // the authority looks whether we are who we say
	}
	if pair, ok := a.got.Load(domain); ok {
		return pair.(*tls.Certificate), nil
	}
	if kept, err := Cached(a.options.Cache, domain); err == nil && time.Now().Before(kept.Leaf.NotAfter) {
		pair, _ := a.got.LoadOrStore(domain, kept) // after a start; Run may have looked since
		return pair.(*tls.Certificate), nil
	}
	return nil, fmt.Errorf("there is no certificate for %s yet", domain)
}

// modern returns the hello of a client that supports ECDSA, as all current clients do.
func modern(domain string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// Handler answers the authority's requests, and leaves the others to next.
func (a *ACME) Handler(next http.Handler) http.Handler {
	inner := a.manager.HTTPHandler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// An authority of one's own may ask at another port than 80; the manager compares the whole of Host with the
		// domains.
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host
		}
		inner.ServeHTTP(w, r)
	})
}

const (
	acmeLook = time.Hour
	// acmeRetry keeps below the five failures an hour after which Let's Encrypt does not listen for a while: a try may
	// be two.
	acmeRetry = 30 * time.Minute
)

// Run obtains the certificates at start, not in the first webhook's handshake, and renews them until ctx ends. It logs
// what fails.
func (a *ACME) Run(ctx context.Context) error {
	daily := map[string]*rate.Sometimes{}
	for _, domain := range a.options.Domains {
		daily[domain] = &rate.Sometimes{First: 1, Interval: 24 * time.Hour}
	}
	for {
		wait := make(chan time.Duration, 1)
		go func() { wait <- a.obtain(daily) }() // has no context, and may take minutes that an end need not wait for
		select {
		case next := <-wait:
			select {
			case <-time.After(next):
			case <-ctx.Done():
				return nil
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// obtain looks at each domain's certificate, which gets it where it is not there, and returns when to look again.
func (a *ACME) obtain(daily map[string]*rate.Sometimes) time.Duration {
	again := acmeLook
	for _, domain := range a.options.Domains {
		pair, err := a.manager.GetCertificate(modern(domain))
		if err != nil {
			again = acmeRetry
			a.options.Logger.Error("there is no certificate yet: senders cannot deliver to this domain", "domain",
				domain, "error", err, "again", acmeRetry)
			continue
		}
		a.got.Store(domain, pair)
		a.options.Logger.Debug("the certificate is there", "domain", domain, "expires", pair.Leaf.NotAfter)
		warnNearEnd(a.options.Logger, daily[domain], pair, domain)
	}
	return again
}

// Cached is the certificate of a domain, with its key, that an ACME keeps in its cache; fs.ErrNotExist when it has none
// yet.
func Cached(cache, domain string) (*tls.Certificate, error) {
	path := filepath.Join(cache, domain) // where autocert has both in one file
	pair, err := tls.LoadX509KeyPair(path, path)
	return &pair, err
}
