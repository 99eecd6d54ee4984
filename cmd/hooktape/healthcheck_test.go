package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// probed starts a listener that answers its probes with these statuses.
func probed(t *testing.T, healthz, readyz int) (addr string) {
	mux := http.NewServeMux()
	for path, status := range map[string]int{"/healthz": healthz, "/readyz": readyz} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(`{"ready":false,"spool":"full"}`))
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// TestHealthcheck verifies that every listener must be healthy, and that at least one must exist.
func TestHealthcheck(t *testing.T) {
	nobody := freeAddr(t)
	well := probed(t, 200, 200)
	full := probed(t, 200, 503)
	broken := probed(t, 500, 500)
	for name, c := range map[string]struct {
		ingest, api string
		flags       []string
		code        int
		stdout      string
		stderr      string
	}{
		"both halves": {ingest: well, api: well, stdout: "ingest: ok\nAPI: ok\n"},
		"ingest only": {ingest: well, api: nobody, stdout: "ingest: ok\n"},
		"API only":    {ingest: nobody, api: well, stdout: "API: ok\n"},
		"neither": {ingest: nobody, api: nobody, code: 1,
			stderr: "no hooktape listens, neither its ingest on " + nobody},
		"healthy, but not ready": {ingest: full, api: nobody, stdout: "ingest: ok\n"},
		"not ready, with --ready": {ingest: full, api: nobody, flags: []string{"--ready"}, code: 1,
			stderr: `ingest: /readyz is answered with 503 Service Unavailable: {"ready":false,"spool":"full"}`},
		"ready": {ingest: nobody, api: well, flags: []string{"--ready"}, stdout: "API: ok\n"},
		"one of both is unhealthy": {ingest: well, api: broken, code: 1, stdout: "ingest: ok\n",
			stderr: "API: /healthz is answered with 500"},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"--ingest-addr", c.ingest, "--api-addr", c.api, "healthcheck"}, c.flags...)
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), args, &stdout, &stderr); code != c.code || stdout.String() != c.stdout ||
				!strings.Contains(stderr.String(), c.stderr) {
				t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
			}
		})
	}
}

// TestHealthcheckConfig verifies that without flags the addresses of the configuration are used.
func TestHealthcheckConfig(t *testing.T) {
	t.Setenv("HOOKTAPE_INGEST_ADDR", "")
	t.Setenv("HOOKTAPE_API_ADDR", "")
	path := filepath.Join(t.TempDir(), "hooktape.yaml")
	if err := os.WriteFile(path, []byte("ingest_addr: "+probed(t, 200, 200)+"\napi_addr: "+freeAddr(t)+"\n"),
		0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"--config", path, "healthcheck"}, &stdout, &stderr); code != 0 ||
		stdout.String() != "ingest: ok\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
	if code := run(t.Context(), []string{"--config", path + ".gone", "healthcheck"}, &stdout, &stderr); code != 1 {
		t.Errorf("without a configuration: exit code %d", code)
	}
}

// TestHealthcheckTimeout verifies that a listener that does not answer in time is unhealthy.
func TestHealthcheckTimeout(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	var stdout, stderr bytes.Buffer
	args := []string{"--ingest-addr", silent.Addr().String(), "--api-addr", freeAddr(t), "healthcheck", "--timeout",
		"50ms"}
	if code := run(context.Background(), args, &stdout, &stderr); code != 1 ||
		!strings.Contains(stderr.String(), "deadline exceeded") {
		t.Errorf("exit code %d, stderr %q", code, &stderr)
	}
}
