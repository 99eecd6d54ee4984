package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestIdleAPIConnections verifies that more connections to the API than there are descriptors do not keep the ingest
// from accepting webhooks, although the spool must open files.
func TestIdleAPIConnections(t *testing.T) {
	t.Parallel()
	i := newInstance(t, noClickHouse)
	writeConfig(t, i)
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	hooktape := i.binary()
	i.old = shell
	i.start("-c", "ulimit -n 400 && exec "+hooktape+" serve")
	i.old = hooktape
	hook := i.hookURL() + "/start"
	i.eventually("the API answers", func() error {
		response, err := http.Get("http://" + i.api + "/healthz")
		if err == nil {
			response.Body.Close()
		}
		return err
	})
	for range 500 {
		conn, err := net.DialTimeout("tcp", i.api, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n", i.api); err != nil {
			t.Fatal(err)
		}
	}
	body := []byte(`{"user_id":"` + strings.Repeat("1", 900<<10) + `"}`)
	for range 40 { // more than fit into one log file
		response, err := http.Post(hook, "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("a webhook got %s\n%s", response.Status, i.output)
		}
	}
	if strings.Contains(i.output.String(), "too many open files") {
		t.Errorf("hooktape has run out of descriptors:\n%s", i.output)
	}
	i.stop()
}
