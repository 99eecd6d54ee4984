package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

type healthcheckCmd struct {
	Ready   bool          `help:"Ask whether it can do its work (/readyz), not only whether it lives (/healthz)."`
	Timeout time.Duration `default:"5s" placeholder:"SPAN" help:"How long an answer may take."`
}

// Help implements kong.HelpProvider.
func (healthcheckCmd) Help() string {
	return `For containers and service managers: asks the hooktape that listens on --ingest-addr or --api-addr of this machine, one of
them or both. The exit code is 0 when all that listens is well, and 1 when something is not, or nothing listens.`
}

// Run asks the listeners of a running hooktape, each of its halves where it listens.
func (c healthcheckCmd) Run(e *env) error {
	ingest, api := e.cli.IngestAddr, e.cli.APIAddr
	if ingest == "" || api == "" {
		// Only then: a file that is wrong by now says nothing about the process that has read it before.
		cfg, err := e.config()
		if err != nil {
			return err
		}
		ingest, api = cfg.IngestAddr, cfg.APIAddr
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	ctx, cancel := context.WithTimeout(e.ctx, c.Timeout)
	defer cancel()
	var ill []error
	refused := 0
	for _, part := range []struct{ name, addr string }{{"ingest", ingest}, {"API", api}} {
		switch err := ask(ctx, part.name, part.addr, path); {
		case refusedConnection(err):
			refused++
		case err != nil:
			ill = append(ill, err)
		default:
			fmt.Fprintf(e.stdout, "%s: ok\n", part.name)
		}
	}
	if refused == 2 {
		return fmt.Errorf("no hooktape listens, neither its ingest on %s nor its API on %s", localAddr(ingest), localAddr(api))
	}
	return errors.Join(ill...)
}

func refusedConnection(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// maxProbeBody is more than any answer of a probe has.
const maxProbeBody = 4096

// ask returns nil when a listener of this machine answers a probe with 200; name is for the error.
func ask(ctx context.Context, name, addr, path string) error {
	status, said, err := probe(ctx, addr, path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s is answered with %d %s: %s", path, status, http.StatusText(status), said)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// probe asks a listener of this machine in plain HTTP. One that wants TLS answers that with 400, as no probe is answered, and
// is then asked in TLS.
func probe(ctx context.Context, addr, path string) (status int, said string, err error) {
	client := http.Client{Transport: ownTransport()}
	addr = localAddr(addr)
	status, said, err = get(ctx, client, "http://"+addr+path)
	if err == nil && status == http.StatusBadRequest {
		return get(ctx, client, "https://"+addr+path)
	}
	return status, said, err
}

func get(ctx context.Context, client http.Client, url string) (status int, said string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxProbeBody))
	return response.StatusCode, strings.TrimSpace(string(body)), nil
}

// ownTransport speaks to the hooktape of this machine: without a proxy, whatever the environment says, for it never leaves
// the machine. The certificate is not verified, for it is the public name's and not that of the address listened on, where
// none but this machine's own programs can answer. An address as server name keeps any name out of the handshake.
func ownTransport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "127.0.0.1"}}
}

// localAddr is where this machine reaches what listens on addr: every address is also the loopback's.
func localAddr(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	switch ip, err := netip.ParseAddr(host); {
	case host == "":
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
