package server

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
)

// Check returns nil if a listener of this machine answers a probe (/healthz or /readyz) with 200. name is for the
// error.
func Check(ctx context.Context, name, addr, path string) error {
	status, body, err := Probe(ctx, addr, path)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s is answered with %d %s: %s", path, status, http.StatusText(status), body)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Refused reports whether a probe failed because nothing listens.
func Refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// Probe asks a listener of this machine over plain HTTP. A listener with TLS answers that with 400, as it answers no
// probe; then Probe asks again over TLS.
func Probe(ctx context.Context, addr, path string) (status int, body string, err error) {
	addr = localAddr(addr)
	status, body, err = get(ctx, "http://"+addr+path)
	if err == nil && status == http.StatusBadRequest {
		return get(ctx, "https://"+addr+path)
	}
	return status, body, err
}

// maxProbeBody is longer than any answer to a probe.
const maxProbeBody = 4096

func get(ctx context.Context, url string) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	client := http.Client{Transport: LocalTransport()}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxProbeBody))
	return response.StatusCode, strings.TrimSpace(string(text)), nil
}

// LocalTransport connects to hooktape on this machine. It uses no proxy, whatever the environment says, because the
// request never leaves the machine. It does not verify the certificate, because that is for the public name and not for
// the listener's address, where only programs of this machine can answer. The address as server name keeps any name out
// of the handshake.
func LocalTransport() *http.Transport {
	return &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true,
		ServerName: "127.0.0.1"}}
}

// localAddr returns the address at which this machine reaches a listener: the loopback address if it listens on all
// addresses.
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
