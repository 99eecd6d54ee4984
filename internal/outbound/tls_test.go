package outbound

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/setting"
)

// authority is a CA with its certificate in a file.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.key = newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.file = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// issue creates a certificate for a name.
func (a *authority) issue(name string) (certFile, keyFile string) {
	a.t.Helper()
	key := newKey(a.t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name},
		DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "PRIVATE KEY", keyDER)
}

// TestTLS verifies a private authority, a configured server name, a client certificate and HTTP/2.
func TestTLS(t *testing.T) {
	ca := newAuthority(t)
	serverCert, err := tls.LoadX509KeyPair(ca.issue("crm.internal"))
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AddCert(ca.cert)
	var proto string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{serverCert}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: clients}
	server.StartTLS()
	defer server.Close()

	full := local(server.URL)
	full.TLS.CAFile, full.TLS.ServerName = ca.file, "crm.internal"
	full.TLS.CertFile, full.TLS.KeyFile = ca.issue("hooktape")
	if a := attempt(t, clientOf(t, full), full); a.Outcome != event.OutcomeDelivered || proto != "HTTP/2.0" {
		t.Errorf("%s %q over %s", a.Outcome, a.Err, proto)
	}
	for name, c := range map[string]struct {
		change func(*TLSOptions)
		err    string
	}{
		"without the authority": {func(o *TLSOptions) {
			o.CAFile = ""
		}, "TLS: failed to verify certificate: x509: certificate signed by unknown authority"},
		"another authority": {func(o *TLSOptions) {
			o.CAFile = newAuthority(t).file
		}, "TLS: failed to verify certificate: x509: certificate signed by unknown authority"},
		"without the name": {func(o *TLSOptions) { o.ServerName = "" }, "TLS: failed to verify certificate: x509: "},
		"another name": {func(o *TLSOptions) {
			o.ServerName = "x.internal"
		}, "TLS: failed to verify certificate: x509: certificate is valid for crm.internal, not x.internal"},
	} {
		e := full
		c.change(&e.TLS)
		if a := attempt(t, clientOf(t, e), e); a.Outcome != event.OutcomeNoConn || !strings.HasPrefix(a.Err, c.err) {
			t.Errorf("%s: %s %q", name, a.Outcome, a.Err)
		}
	}

	// With TLS 1.3 the client completes the handshake before the server asks for a certificate. The client then gets an
	// alert, reported by TLS or HTTP/2, or a reset of the connection of a request in flight.
	bare := full
	bare.TLS.CertFile, bare.TLS.KeyFile = "", ""
	switch a := attempt(t, clientOf(t, bare), bare); {
	case a.Outcome == event.OutcomeNoConn && strings.HasPrefix(a.Err, "TLS: "):
	case a.Outcome == event.OutcomeBroken && a.Err == "the endpoint reset the connection":
	default:
		t.Errorf("without the certificate: %s %q", a.Outcome, a.Err)
	}
}

// TestTLSFiles verifies that an unusable file is reported with its key when the client is created, not at the first
// attempt.
func TestTLSFiles(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue("hooktape")
	_, other := ca.issue("other")
	junk := filepath.Join(ca.dir, "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tls       TLSOptions
		key, text string
	}{
		{TLSOptions{CAFile: "/nowhere/ca.pem"}, "tls.ca_file", "open /nowhere/ca.pem: no such file or directory"},
		{TLSOptions{CAFile: junk}, "tls.ca_file", junk + " has no certificate in PEM"},
		{TLSOptions{CertFile: cert}, "tls.key_file", "is missing, but cert_file is set"},
		{TLSOptions{KeyFile: key}, "tls.cert_file", "is missing, but key_file is set"},
		{TLSOptions{CertFile: cert, KeyFile: "/nowhere/key.pem"}, "tls.cert_file",
			"with key_file: open /nowhere/key.pem"},
		{TLSOptions{CertFile: cert, KeyFile: other}, "tls.cert_file",
			"with key_file: tls: private key does not match public key"},
		{TLSOptions{CertFile: junk, KeyFile: key}, "tls.cert_file", "with key_file: tls: failed to find any PEM data"},
	} {
		e := endpointAt("https://example.com/")
		e.TLS = c.tls
		_, err := NewClient(e, nil)
		fault, ok := errors.AsType[*setting.Fault](err)
		if !ok || fault.Key != c.key || !strings.HasPrefix(fault.Text, c.text) {
			t.Errorf("options %+v: got error %v", c.tls, err)
		}
		if again := e.Faults(); len(again) != 1 || again[0].Error() != err.Error() {
			t.Errorf("Faults returns %v, NewClient %v", again, err)
		}
	}
}
