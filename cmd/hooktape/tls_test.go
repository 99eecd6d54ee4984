package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/testutil"
	"hooktape/internal/testutil/storetest"
)

// writePair writes cert.pem and key.pem of a certificate for 127.0.0.1 into a directory.
func writePair(t *testing.T, dir string, serial int64, ends time.Time) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: ends.Add(-90 * 24 * time.Hour),
		NotAfter: ends, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"hooks.example.org"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cert.pem"),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	writeFile(t, filepath.Join(dir, "key.pem"),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newTLSInstance returns an instance with a certificate, and the pool that its clients must trust.
func newTLSInstance(t *testing.T, dsn, more string) (i *instance, trusted *x509.CertPool) {
	t.Helper()
	i = newInstance(t, dsn)
	trusted = x509.NewCertPool()
	trusted.AddCert(writePair(t, i.dir, 1, time.Now().Add(90*24*time.Hour)))
	writeFile(t, filepath.Join(i.dir, "hooktape.yaml"),
		fmt.Sprintf("sources:\n  - {name: demo, token: a-token-of-this-test}\ntls:\n  cert: %[1]s/cert.pem\n  key: "+
			"%[1]s/key.pem\n%[2]s", i.dir, more))
	return i, trusted
}

// sender posts continuously and records errors.
type sender struct {
	client *http.Client
	url    string
	mu     sync.Mutex
	serial int64 // serial number of the last certificate shown
	posted int
}

func newSender(url string, trusted *x509.CertPool, keepAlive bool) *sender {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true,
		DisableKeepAlives: !keepAlive}
	return &sender{client: &http.Client{Transport: transport, Timeout: 20 * time.Second}, url: url}
}

func (s *sender) post() error {
	response, err := s.client.Post(s.url, "application/json", strings.NewReader(`{"user_id":1}`))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("got %s %s", response.Proto, response.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial, s.posted = response.TLS.PeerCertificates[0].SerialNumber.Int64(), s.posted+1
	return nil
}

func (s *sender) shown() (serial int64, posted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serial, s.posted
}

func (s *sender) run(ctx context.Context) error {
	defer s.client.CloseIdleConnections()
	for ctx.Err() == nil {
		if err := s.post(); err != nil {
			return err
		}
	}
	return nil
}

// TestTLSReload replaces the certificate during requests, on new and existing connections, and verifies that no request
// is lost. A broken certificate is refused and logged.
func TestTLSReload(t *testing.T) {
	t.Parallel()
	i, trusted := newTLSInstance(t, noClickHouse, "")
	i.start("ingest")
	url := i.hookURL()
	if want := "https://" + i.ingest + "/hooks/demo/"; !strings.HasPrefix(url, want) {
		t.Fatalf("the hook URL is %s, want %s…", url, want)
	}
	next := t.TempDir()
	trusted.AddCert(writePair(t, next, 2, time.Now().Add(90*24*time.Hour)))
	fresh := newSender(url, trusted, false)
	senders := []*sender{newSender(url, trusted, true), fresh}
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for _, s := range senders {
		sending.Go(func() {
			if err := s.run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	shows := func(serial int64) {
		i.t.Helper()
		i.eventually(fmt.Sprintf("certificate %d is shown", serial), func() error {
			if got, _ := fresh.shown(); got != serial {
				return fmt.Errorf("got %d", got)
			}
			return nil
		})
	}
	shows(1)
	move(t, next, i.dir)
	shows(2)
	writeFile(t, filepath.Join(i.dir, "cert.pem"), "nonsense")
	i.eventually("the broken one is refused", func() error {
		if said := i.output.String(); !strings.Contains(said,
			"the changed certificate is refused; the old one stays in force") ||
			!strings.Contains(said, i.dir+"/cert.pem") {
			return errors.New("the log does not mention it")
		}
		return nil
	})
	_, posted := fresh.shown()
	i.eventually("webhooks are still accepted", func() error {
		if _, now := fresh.shown(); now < posted+2 {
			return errors.New("not yet")
		}
		return nil
	})
	shows(2)
	stop()
	sending.Wait()
	if got := i.cli("healthcheck", "--ready"); got != "ingest: ok\n" {
		t.Errorf("healthcheck printed %q", got)
	}
	i.stop()
}

// move replaces the pair of one directory by another's, file by file, as certbot and others do.
func move(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"cert.pem", "key.pem"} {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTLSListeners verifies that only the hooks use TLS unless the API is configured for it, and that the health check
// uses the right scheme for each.
func TestTLSListeners(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ more, api string }{"the hooks alone": {"", "http"},
		"the API too": {"  api: true\n", "https"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i, trusted := newTLSInstance(t, storetest.DSN(t), c.more)
			i.startReady("serve")
			client := newSender("", trusted, false).client
			for n, url := range []string{"https://" + i.ingest + "/healthz", c.api + "://" + i.api + "/healthz"} {
				i.eventually(url, func() error {
					response, err := client.Get(url)
					if err != nil {
						return err
					}
					response.Body.Close()
					if response.StatusCode != http.StatusOK || n == 1 && response.TLS != nil &&
						response.ProtoMajor != 2 {
						return fmt.Errorf("%s %s", response.Proto, response.Status)
					}
					return nil
				})
			}
			if got := i.cli("healthcheck"); got != "ingest: ok\nAPI: ok\n" {
				t.Errorf("healthcheck printed %q", got)
			}
			i.cli("simulate", "--rate", "30", "--for", "1s") // fails if an answer is unexpected
			i.eventually("the banner has both addresses", func() error {
				if said := i.output.String(); !strings.Contains(said, "webhooks    https://"+i.ingest) ||
					!strings.Contains(said, "console     "+c.api+"://"+i.api) {
					return fmt.Errorf("got\n%s", said)
				}
				return nil
			})
			i.stop()
		})
	}
}

// TestTLSFilesAtTheStart verifies that unusable files are reported in one sentence with their path, and that an expired
// certificate does not prevent the start.
func TestTLSFilesAtTheStart(t *testing.T) {
	i, _ := newTLSInstance(t, noClickHouse, "")
	refused := func(want string) {
		t.Helper()
		var stdout, stderr testutil.Log
		code := run(t.Context(), []string{"--data", i.dir, "--ingest-addr", i.ingest, "--clickhouse-dsn", i.dsn,
			"ingest"}, &stdout, &stderr)
		if lines := strings.Count(stderr.String(), "\n"); code != 1 || lines != 1 ||
			!strings.Contains(stderr.String(), want) {
			t.Errorf("exit code %d, want 1 and %q:\n%s", code, want, stderr.String())
		}
	}
	writeFile(t, filepath.Join(i.dir, "key.pem"), "nonsense")
	refused("hooktape: tls: " + i.dir + "/cert.pem and " + i.dir + "/key.pem are not a certificate and its key: ")
	if err := os.Remove(filepath.Join(i.dir, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	refused("hooktape: tls: the certificate cannot be read: open " + i.dir + "/cert.pem: no such file or directory")

	expired := writePair(t, i.dir, 3, time.Now().Add(-time.Hour))
	i.start("ingest")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true}}
	response, err := client.Post(i.hookURL(), "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK ||
		response.TLS.PeerCertificates[0].SerialNumber.Cmp(expired.SerialNumber) != 0 {
		t.Errorf("got %s", response.Status)
	}
	if !strings.Contains(i.output.String(), "the certificate has expired") {
		t.Errorf("the log does not mention the expiry:\n%s", i.output)
	}
	i.stop()
}
