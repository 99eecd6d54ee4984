package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/testutil"
)

// TestFullDisk fills the embedded engine's disk during inserts and merges until the engine has exited. It verifies that
// each acknowledged webhook is stored once afterwards, and also after a restart.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	i := newInstance(t, "")
	disk := testutil.NewDisk(t, enginesDir(t, i), 2<<30)
	i.configure("drain: {age: 20ms}\n")
	i.startReady("serve")
	i.query("ALTER TABLE events MODIFY SETTING old_parts_lifetime = 1")

	done := make(chan struct{})
	var working sync.WaitGroup
	var mu sync.Mutex
	var acknowledged []string
	url := i.hookURL()
	for range 4 {
		working.Go(func() {
			body := make([]byte, 10_000) // makes inserts write a lot
			for {
				select {
				case <-done:
					return
				default:
				}
				rand.Read(body)
				if id := acknowledge(url, body); id != "" {
					mu.Lock()
					acknowledged = append(acknowledged, id)
					mu.Unlock()
				}
				time.Sleep(40 * time.Millisecond)
			}
		})
	}
	working.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
				_, _ = i.ask("OPTIMIZE TABLE events")
			}
		}
	})
	struck := func() int { return strings.Count(i.output.String(), "the embedded ClickHouse is back") }
	i.eventually("the engine exits twice", func() error {
		before := struck()
		if err := disk.Fill(); err != nil {
			t.Error(err)
		}
		time.Sleep(50 * time.Millisecond)
		if err := disk.Free(); err != nil {
			t.Error(err)
		}
		for wait := time.Now().Add(200 * time.Millisecond); time.Now().Before(wait) && struck() == before; {
			time.Sleep(10 * time.Millisecond)
		}
		if n := struck(); n < 2 {
			return fmt.Errorf("%d times so far", n)
		}
		return nil
	})
	close(done)
	working.Wait()

	whole := func() error {
		ids, _ := json.Marshal(acknowledged)
		list := strings.NewReplacer(`"`, `'`).Replace(string(ids))
		got, err := i.ask("SELECT count(), uniqExact(id), countIf(hex(SHA256(body)) != upper(body_sha256)) FROM " +
			"events WHERE id IN " + list)
		if want := fmt.Sprintf("%d\t%d\t0\n", len(acknowledged), len(acknowledged)); err != nil || got != want {
			return errors.Join(err, fmt.Errorf("events, ids, altered: %q, want %q", got, want))
		}
		return nil
	}
	i.eventually("all that was acknowledged is stored once", whole)
	if text := "it could not write a file, and does not go on with half of one: no space left on device"; !strings.Contains(i.output.String(), text) {
		t.Errorf("the log does not contain %q:\n%s", text, i.output)
	}
	i.stop()
	i.startReady("serve")
	if err := whole(); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	if got := i.query("SELECT count() FROM system.detached_parts"); got != "0\n" {
		t.Errorf("%s parts were detached", got)
	}
}

// enginesDir creates the directory of an instance's embedded engine.
func enginesDir(t *testing.T, i *instance) string {
	t.Helper()
	dir := filepath.Join(i.dir, "clickhouse")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// configure writes a configuration with the source demo and additional settings.
func (i *instance) configure(more string) {
	i.t.Helper()
	text := "sources:\n  - name: demo\n    token: " + someToken + "\n" + more
	if err := os.WriteFile(filepath.Join(i.dir, "hooktape.yaml"), []byte(text), 0o600); err != nil {
		i.t.Fatal(err)
	}
}

// acknowledge posts a body and returns the id if it is answered with 200.
func acknowledge(url string, body []byte) (id string) {
	response, err := http.Post(url, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	var answer struct {
		ID string `json:"id"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		return ""
	}
	return answer.ID
}
