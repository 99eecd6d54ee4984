// Package outbound makes one HTTP attempt at one endpoint: it builds and signs the request, connects to allowed
// addresses only, sends the request once, and classifies what comes back. It keeps no state between attempts except
// connections; retries, rates and order are up to its callers.
//
// [Client.Send] reads a response to its end and keeps its beginning. [Client.Do] returns a response as soon as its
// header has arrived, for a caller that streams the body.
package outbound

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"golang.org/x/net/http/httpguts"

	"hooktape/internal/event"
	"hooktape/internal/redact"
	"hooktape/internal/setting"
)

// Endpoint says where and how to send a request. Its tags are the keys of the configuration.
type Endpoint struct {
	Name string `yaml:"name"` // in every delivery; with the event's id it makes the Idempotency-Key
	URL  string `yaml:"url" secret:"url"`
	// Headers replace the event's headers of the same name.
	Headers []event.Header `yaml:"-"`
	// DropHeaders are names of the event's headers that are not sent, besides those that never are.
	DropHeaders []string `yaml:"drop_headers"`
	// KeepHeaders are names of the event's headers that are sent although proxies add them or they may hold a secret of
	// the event's sender: Authorization, Cookie.
	KeepHeaders []string `yaml:"keep_headers"`
	// Timeout bounds a whole attempt, from resolving the name to the last byte of the response.
	Timeout time.Duration `yaml:"timeout"`
	// AllowPrivate allows loopback, private and link-local addresses.
	AllowPrivate bool `yaml:"allow_private"`
	// IdleTimeout is how long a connection without a request is kept open; 0 is 30 seconds.
	IdleTimeout time.Duration  `yaml:"-"`
	TLS         TLSOptions     `yaml:"tls"`
	Sign        SigningOptions `yaml:"-"`

	// PrivateSetting names the setting that would allow private addresses, for errors. Empty means allow_private of the
	// endpoint.
	PrivateSetting string `yaml:"-"`
}

// SigningOptions make requests verifiable as Standard Webhooks describes it (https://www.standardwebhooks.com).
type SigningOptions struct {
	// Secrets are "whsec_" followed by base64. Each of them signs every request, so that a secret can be replaced while
	// the receiver knows only one of two. Without secrets requests are not signed.
	Secrets []string
}

// TLSOptions name files in PEM. They are read once, by [NewClient].
type TLSOptions struct {
	// CAFile holds the authorities to trust instead of the system's.
	CAFile string `yaml:"ca_file"`
	// CertFile and KeyFile are the client certificate.
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	ServerName string `yaml:"server_name"` // to expect in the endpoint's certificate instead of the URL's host
}

// endpointName tells names from URLs, which are in the same columns for endpoints without a name.
var endpointName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

const (
	maxTimeout  = 10 * time.Minute // a worker waits this long
	resolveTime = 3 * time.Second
)

// Faults returns a [*setting.Fault] for each wrong setting. It reads the files that TLS names.
func (e *Endpoint) Faults() (f setting.Faults) {
	f.Unless(endpointName.MatchString(e.Name), "name",
		"%q must be lower-case letters, digits, - and _, at most 64, a letter or digit first", e.Name)
	f.Err("url", e.checkURL())
	for i, h := range e.Headers {
		f.Err(fmt.Sprintf("headers[%d]", i), CheckHeader(h))
	}
	for i, name := range e.DropHeaders {
		f.Unless(httpguts.ValidHeaderFieldName(name), fmt.Sprintf("drop_headers[%d]", i), "invalid header name %q",
			name)
	}
	dropped := headerSet(e.DropHeaders)
	for i, name := range e.KeepHeaders {
		key := fmt.Sprintf("keep_headers[%d]", i)
		f.Err(key, CheckHeader(event.Header{Name: name}))
		f.Unless(!dropped[http.CanonicalHeaderKey(name)], key, "%s is in drop_headers too", name)
	}
	f.Unless(e.Timeout > 0 && e.Timeout <= maxTimeout, "timeout", "must be more than 0 and at most 10m")
	for i, secret := range e.Sign.Secrets {
		f.Err(fmt.Sprintf("sign.secrets[%d]", i), checkSecret(secret))
	}
	if _, err := e.TLS.config(); err != nil {
		f = append(f, err)
	}
	return f
}

// checkURL refuses a URL that nothing can be sent to: a malformed one, or a literal address that the endpoint may not
// reach. A host name is fine here, because it may resolve to another address later.
func (e *Endpoint) checkURL() error {
	clean, err := cleanURL(e.URL)
	if err != nil || e.AllowPrivate {
		return err
	}
	u, err := url.Parse(clean)
	if err != nil {
		return err
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return nil // a name
	}
	return checkPublic(addr, e.privateSetting())
}

// checkAddress returns a [*ForbiddenAddrError] if the endpoint must not be sent to address, such as [::1]:80.
func (e *Endpoint) checkAddress(ctx context.Context, own *OwnAddresses, address string) error {
	to, err := effectiveAddr(address)
	if err != nil {
		return err
	}
	if err := own.check(ctx, to); err != nil || e.AllowPrivate {
		return err
	}
	return checkPublic(to.Addr(), e.privateSetting())
}

func (e *Endpoint) privateSetting() string {
	if e.PrivateSetting == "" {
		return "allow_private of the endpoint " + e.Name
	}
	return e.PrivateSetting
}

// CheckAddresses resolves the endpoint's host and returns an error if any of its addresses is forbidden: every attempt
// might fail. A host that does not resolve now may do so later and is no error.
func (e *Endpoint) CheckAddresses(ctx context.Context, own *OwnAddresses) error {
	host, port, err := e.hostPort()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveTime)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		err := e.checkAddress(ctx, own, net.JoinHostPort(addr.String(), port))
		if forbidden, ok := errors.AsType[*ForbiddenAddrError](err); ok {
			return fmt.Errorf("%s: %w", host, forbidden)
		}
	}
	return nil
}

// ServerAttributes returns the server's address by OpenTelemetry's conventions. The whole URL is left out, because many
// receivers have a secret in its path.
func (e *Endpoint) ServerAttributes() []attribute.KeyValue {
	host, port, err := e.hostPort()
	if err != nil {
		return nil
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil
	}
	return []attribute.KeyValue{semconv.ServerAddress(host), semconv.ServerPort(number)}
}

// StoredURL returns the URL as attempts, logs and pages show it: with the values of its query masked, because many
// receivers take a secret there (?token=…). The rest stays unchanged.
func (e Endpoint) StoredURL() string { return MaskQuery(e.URL) }

// hostPort returns the host and the port of an endpoint's URL.
func (e Endpoint) hostPort() (host, port string, err error) {
	u, err := url.Parse(e.URL)
	if err != nil {
		return "", "", redact.WithoutURL(err)
	}
	return u.Hostname(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]), nil
}

// config reads the files. Its error is a [*setting.Fault].
func (o TLSOptions) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		texts, _, err := setting.ReadFiles(o.CAFile)
		if err != nil {
			return nil, &setting.Fault{Key: "tls.ca_file", Text: err.Error()}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(texts[0]) {
			return nil, &setting.Fault{Key: "tls.ca_file", Text: o.CAFile + " has no certificate in PEM"}
		}
	}
	switch {
	case o.CertFile == "" && o.KeyFile == "":
		return c, nil
	case o.CertFile == "":
		return nil, &setting.Fault{Key: "tls.cert_file", Text: "is missing, but key_file is set"}
	case o.KeyFile == "":
		return nil, &setting.Fault{Key: "tls.key_file", Text: "is missing, but cert_file is set"}
	}
	pair, _, err := setting.ReadFiles(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, &setting.Fault{Key: "tls.cert_file", Text: fmt.Sprintf("with key_file: %v", err)}
	}
	certificate, err := tls.X509KeyPair(pair[0], pair[1])
	if err != nil {
		return nil, &setting.Fault{Key: "tls.cert_file", Text: fmt.Sprintf("with key_file: %v", err)}
	}
	c.Certificates = []tls.Certificate{certificate}
	return c, nil
}

const secretPrefix = "whsec_"

// checkSecret returns an error unless secret has the specified form: 24 to 64 random bytes.
func checkSecret(secret string) error {
	encoded, prefixed := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !prefixed || err != nil || len(key) < 24 || len(key) > 64 {
		return fmt.Errorf("must be %s and the base64 of 24 to 64 random bytes", secretPrefix)
	}
	return nil
}
