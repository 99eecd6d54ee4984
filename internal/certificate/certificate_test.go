package certificate_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"hooktape/internal/certificate"
	"hooktape/internal/testutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair is a certificate and its key in files.
type pair struct {
	t         *testing.T
	cert, key string
	log       *testutil.Log
}

func newPair(t *testing.T) *pair {
	dir := t.TempDir()
	return &pair{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), log: &testutil.Log{}}
}

func (p *pair) logger() *slog.Logger { return slog.New(slog.NewTextHandler(p.log, nil)) }

// texts returns a new certificate and its key in PEM.
func (p *pair) texts(serial int64, ends time.Time) (cert, key []byte) {
	p.t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: ends.Add(-90 * 24 * time.Hour),
		NotAfter: ends, DNSNames: []string{"hooks.example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, secret.Public(), secret)
	if err != nil {
		p.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		p.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

func (p *pair) write(serial int64, ends time.Time) {
	p.t.Helper()
	cert, key := p.texts(serial, ends)
	p.put(p.cert, cert)
	p.put(p.key, key)
}

func (p *pair) put(path string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// shown returns the serial number of the certificate that a listener with this configuration shows.
func shown(t *testing.T, config *tls.Config) int64 {
	t.Helper()
	got, err := config.GetCertificate(&tls.ClientHelloInfo{ServerName: "hooks.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	return got.Leaf.SerialNumber.Int64()
}

func inAYear() time.Time { return time.Now().Add(365 * 24 * time.Hour) }

// TestRenewal verifies that a new pair is used within a second or two, and that a bad one is refused with its path
// while the old one stays.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.write(1, inAYear())
		files, err := certificate.Open(p.cert, p.key, p.logger())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- files.Run(ctx) }()
		wait := func(want int64, said string) {
			t.Helper()
			time.Sleep(1500 * time.Millisecond)
			synctest.Wait()
			if got := shown(t, files.Config()); got != want {
				t.Errorf("certificate %d is used, want %d", got, want)
			}
			if !strings.Contains(p.log.String(), said) {
				t.Errorf("the log does not contain %q:\n%s", said, p.log)
			}
		}
		p.write(2, inAYear())
		wait(2, "the certificate is renewed")

		cert, key := p.texts(3, inAYear())
		p.put(p.cert, cert) // for a moment there is a new certificate with the old key
		wait(2, "private key does not match public key")
		if !strings.Contains(p.log.String(), p.cert) {
			t.Errorf("the log does not name the file:\n%s", p.log)
		}
		p.put(p.key, key)
		wait(3, "")

		p.put(p.cert, []byte("nonsense"))
		wait(3, "failed to find any PEM data")
		if err := os.Remove(p.key); err != nil {
			t.Fatal(err)
		}
		wait(3, "key cannot be read")
		p.write(4, time.Now().Add(-time.Hour))
		wait(3, "has expired on")
		before := strings.Count(p.log.String(), "refused")
		wait(3, "") // an error is logged once
		if after := strings.Count(p.log.String(), "refused"); after != before {
			t.Errorf("%d log lines about an unchanged file", after-before)
		}
		p.write(5, inAYear())
		wait(5, "")
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestNearEnd verifies that a certificate close to its expiry is logged once a day. Over three days the files are read
// once a minute, because 259,000 readings take half a minute of processor time.
func TestNearEnd(t *testing.T) {
	defer func(usual time.Duration) { *certificate.Look = usual }(*certificate.Look)
	*certificate.Look = time.Minute
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t)
		p.write(1, time.Now().Add(10*24*time.Hour+12*time.Hour))
		files, err := certificate.Open(p.cert, p.key, p.logger())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- files.Run(ctx) }()
		for day, want := range []int{0, 1, 2} {
			synctest.Wait()
			if got := strings.Count(p.log.String(), "the certificate expires soon"); got != want {
				t.Errorf("on day %d: %d warnings, want %d", day, got, want)
			}
			time.Sleep(24*time.Hour + 2*time.Minute)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestOpen verifies that an unusable file is refused with its name, and that an expired certificate is a warning.
func TestOpen(t *testing.T) {
	p := newPair(t)
	if _, err := certificate.Open(p.cert, p.key, p.logger()); err == nil ||
		!strings.Contains(err.Error(), p.cert+": no such file") {
		t.Errorf("missing file: %v", err)
	}
	p.write(1, inAYear())
	_, other := p.texts(2, inAYear())
	p.put(p.key, other)
	if _, err := certificate.Open(p.cert, p.key, p.logger()); err == nil || !strings.Contains(err.Error(), p.key) ||
		!strings.Contains(err.Error(), "does not match") {
		t.Errorf("key of another certificate: %v", err)
	}
	p.write(3, time.Now().Add(-time.Hour))
	files, err := certificate.Open(p.cert, p.key, p.logger())
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(t, files.Config()); got != 3 || !strings.Contains(p.log.String(), "has expired") {
		t.Errorf("expired certificate %d, log %s", got, p.log)
	}
}

// TestNoName verifies that a client without a server name gets a certificate without a request to the authority, and
// that a client with an unknown name gets none.
func TestNoName(t *testing.T) {
	var asked atomic.Int32
	authority := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer authority.Close()
	authority.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	authority.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			asked.Add(1)
		}
	}
	cache := t.TempDir()
	a, err := certificate.NewACME(certificate.ACMEOptions{Domains: []string{"hooks.example.org", "new.example.org"},
		DirectoryURL: authority.URL, Cache: cache, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", a.Config())
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go server.Serve(listener)
	defer server.Close()
	dial := func(config *tls.Config) error {
		config.InsecureSkipVerify = true
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", listener.Addr().String(), config)
		if err == nil {
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
			conn.Close()
		}
		return err
	}
	if err := dial(&tls.Config{}); err != nil {
		t.Errorf("handshake without a server name: %v", err)
	}
	p := newPair(t)
	cert, key := p.texts(1, time.Now().Add(time.Hour))
	for _, name := range []string{"hooks.example.org", "stranger.example.org"} { // in the format of autocert's cache
		p.put(filepath.Join(cache, name), append(key, cert...))
	}
	for name, there := range map[string]bool{"hooks.example.org": true, "HOOKS.example.org": true,
		"new.example.org": false, "stranger.example.org": false, "../hooks.example.org": false} {
		if err := dial(&tls.Config{ServerName: name}); (err == nil) != there {
			t.Errorf("handshake for %s: %v", name, err)
		}
	}
	if err := dial(&tls.Config{ServerName: "new.example.org", NextProtos: []string{"acme-tls/1", "h2"}}); err == nil {
		t.Error("a client that offers acme-tls/1 and another protocol gets a certificate")
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("handshakes sent %d requests to the authority, which allows a few an hour", n)
	}
	if version := a.Config().MinVersion; version != tls.VersionTLS12 {
		t.Errorf("negotiated TLS version %x", version)
	}
}
