package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const acmeDomain = "hooks.example.org"

// authority is Pebble, Let's Encrypt's small ACME server, with a DNS server that resolves every name to this machine.
type authority struct {
	i          *instance
	directory  string
	management string
	trust      *http.Client
	stop       func()
}

// pebble builds Pebble and its DNS server once and returns their directory. TestMain removes it.
var pebble = sync.OnceValues(func() (dir string, err error) {
	programs, err := programs()
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", programs+string(filepath.Separator), "tool")
	build.Dir = "../../test/acme"
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Pebble: %w\n%s", err, out)
	}
	return programs, nil
})

// newAuthority starts an authority that validates domains at the given ports.
func newAuthority(i *instance, tlsAddr, httpAddr string) *authority {
	t, dir := i.t, i.t.TempDir()
	t.Helper()
	pebble, err := pebble()
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(writePair(t, dir, 1, time.Now().Add(24*time.Hour)))
	a := &authority{i: i, directory: freeAddr(t), management: freeAddr(t),
		trust: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}}
	dns := freeAddr(t)
	writeFile(t, filepath.Join(dir, "pebble.json"), fmt.Sprintf(`{"pebble": {"listenAddress": %q, "managementListenAddress": %q, "certificate": %q, "privateKey": %q,
		"tlsPort": %s, "httpPort": %s, "retryAfter": {"authz": 1, "order": 1}, "profiles": {"default": {"description": "90 days", "validityPeriod": 7776000}}}}`,
		a.directory, a.management, dir+"/cert.pem", dir+"/key.pem", portOf(t, tlsAddr), portOf(t, httpAddr)))
	i.run(filepath.Join(pebble, "pebble-challtestsrv"), "-dnsserver", dns, "-management", freeAddr(t), "-defaultIPv6",
		"", "-doh", "", "-http01", "", "-https01", "", "-tlsalpn01", "")
	a.stop = i.run(filepath.Join(pebble, "pebble"), "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", dns)
	// hooktape needs it to trust the authority's own listener
	i.env = append(i.env, "SSL_CERT_FILE="+filepath.Join(dir, "cert.pem"))
	i.eventually("Pebble answers", func() error {
		response, err := a.trust.Get("https://" + a.directory + "/dir")
		if err == nil {
			response.Body.Close()
		}
		return err
	})
	return a
}

// root returns the root certificate of the authority.
func (a *authority) root() *x509.CertPool {
	a.i.t.Helper()
	response, err := a.trust.Get("https://" + a.management + "/roots/0")
	if err != nil {
		a.i.t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		a.i.t.Fatalf("no root certificate in %s", text)
	}
	return pool
}

// run starts a program. It ends with the test, or when stop is called.
func (i *instance) run(name string, args ...string) (stop func()) {
	i.t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	if err := command.Start(); err != nil {
		i.t.Fatal(err)
	}
	stop = func() {
		if command.ProcessState == nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	}
	i.t.Cleanup(stop)
	return stop
}

func portOf(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestACME gets a certificate from a real authority before the first webhook arrives, by a handshake with the listener
// and by a request to http_addr. It verifies that the certificate is cached, and served after a restart without the
// authority.
func TestACME(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"tls-alpn-01", "http-01"} {
		t.Run(challenge, func(t *testing.T) {
			i := newInstance(t, noClickHouse)
			plain, tlsPort := freeAddr(t), i.ingest
			if challenge == "http-01" {
				tlsPort = freeAddr(t) // no listener there, so only the other challenge can succeed
			}
			a := newAuthority(i, tlsPort, plain)
			writeFile(t, filepath.Join(i.dir, "hooktape.yaml"),
				fmt.Sprintf("sources:\n  - {name: demo, token: a-token-of-this-test}\ntls:\n  autocert: [%s]\n"+
					"  email: admin@example.org\n  directory_url: https://%s/dir\n  http_addr: %s\n", acmeDomain,
					a.directory, plain))
			i.start("ingest")
			url := i.hookURL()
			if want := "https://" + acmeDomain + ":" + portOf(t, i.ingest) + "/hooks/demo/"; !strings.HasPrefix(url,
				want) {
				t.Fatalf("the hook URL is %s, want %s…", url, want)
			}
			i.eventually("the certificate is in the cache before the first handshake", func() error {
				_, err := os.Stat(filepath.Join(i.dir, "autocert", acmeDomain))
				return err
			})
			if said := i.try("doctor").out; !strings.Contains(said, "✓ TLS certificate  "+acmeDomain+" is good for ") {
				t.Errorf("doctor printed\n%s", said)
			}
			root := a.root()
			assertAccepted(i, url, root)
			assertRedirected(i, plain, url)
			if info, err := os.Stat(filepath.Join(i.dir, "autocert")); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the cache has %v, %v; want it readable by its owner only", info.Mode(), err)
			}
			i.stop()
			a.stop()
			i.start("ingest")
			assertAccepted(i, url, root)
			if got := i.cli("healthcheck"); got != "ingest: ok\n" {
				t.Errorf("healthcheck printed %q", got)
			}
			i.stop()
		})
	}
}

// assertAccepted posts a webhook as BotHelp does: to the domain's name, whose certificate it verifies.
func assertAccepted(i *instance, url string, root *x509.CertPool) {
	i.t.Helper()
	sender := newSender(url, root, false)
	sender.client.Transport.(*http.Transport).DialContext = dialLoopback
	if err := sender.post(); err != nil {
		i.t.Error(err)
	}
}

// dialLoopback connects to this machine, as if DNS resolved every name to it.
func dialLoopback(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// assertRedirected verifies that plain HTTP is redirected to the same hook by https, preserving method and body.
func assertRedirected(i *instance, plain, url string) {
	i.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	response, err := client.Post("http://"+plain+url[strings.Index(url, "/hooks/"):]+"/start?a=b", "application/json",
		strings.NewReader("{}"))
	if err != nil {
		i.t.Fatal(err)
	}
	response.Body.Close()
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect ||
		got != url+"/start?a=b" {
		i.t.Errorf("answered %s, Location %q", response.Status, got)
	}
	i.eventually("the log mentions the redirect", func() error {
		if !strings.Contains(i.output.String(), "a webhook came by plain HTTP") {
			return errors.New("no line about it")
		}
		return nil
	})
	if strings.Contains(i.output.String(), "a-token-of-this-test") {
		i.t.Errorf("the log shows the token:\n%s", i.output)
	}
}
