package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestReload: a source that is added works without a restart; a wrong file is refused and the old one stays; SIGHUP reads
// the file again; and no request is dropped meanwhile.
func TestReload(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "http://127.0.0.1:1/hooktape") // ClickHouse is not needed to take webhooks
	writeConfig(t, i)
	i.start("ingest")
	demo := i.hookURL()
	path := filepath.Join(i.dir, "hooktape.yaml")

	stop, dropped := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(dropped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			response, err := http.Post(demo, "application/json", strings.NewReader(`{"user_id":1}`))
			if err == nil {
				response.Body.Close()
				if response.StatusCode != http.StatusOK {
					err = fmt.Errorf("request %d is answered %s", n, response.Status)
				}
			}
			if err != nil {
				dropped <- err
				return
			}
		}
	}()

	_, added, _ := strings.Cut(strings.TrimSpace(i.cli("sources", "add", "shop")), "\t")
	i.eventually(10*time.Second, "the added source works", func() error { return statusOf(added, http.StatusOK) })

	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(good, "nonsense: 1\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	i.eventually(10*time.Second, "the wrong file is refused", func() error {
		if !strings.Contains(i.output.String(), "the changed configuration is refused; the old one stays in force") {
			return fmt.Errorf("the log does not say so")
		}
		return statusOf(added, http.StatusOK)
	})

	without := good[:strings.Index(string(good), "  - name: shop")]
	rest := good[strings.Index(string(good), "\napi:"):]
	if err := os.WriteFile(path, append(without[:len(without):len(without)], rest...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := i.command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	i.eventually(10*time.Second, "the removed source is unknown", func() error { return statusOf(added, http.StatusNotFound) })

	close(stop)
	if err := <-dropped; err != nil {
		t.Error(err)
	}
	if took := i.stop(); took > 10*time.Second {
		t.Errorf("stopping without ClickHouse took %s", took)
	}
}

func statusOf(url string, want int) error {
	response, err := http.Post(url, "application/json", strings.NewReader(`{"user_id":2}`))
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("answered %s, want %d", response.Status, want)
	}
	return nil
}
