package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hooktape/internal/server"
	"hooktape/internal/testutil/enginetest"
)

// serviceManager is systemd's end of a service's notify socket.
type serviceManager struct {
	i    *instance
	mu   sync.Mutex
	said []string
}

// newServiceManager makes an instance a service with this watchdog interval.
func newServiceManager(i *instance, watchdog time.Duration) *serviceManager {
	i.t.Helper()
	dir, err := os.MkdirTemp("", "n") // a socket's path must be short
	if err != nil {
		i.t.Fatal(err)
	}
	path := filepath.Join(dir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		socket.Close()
		os.RemoveAll(dir)
	})
	m := &serviceManager{i: i}
	i.env = append(i.env, "NOTIFY_SOCKET="+path, fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds()))
	go func() {
		for buffer := make([]byte, 4096); ; {
			n, err := socket.Read(buffer)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said = append(m.said, strings.Split(string(buffer[:n]), "\n")...)
			m.mu.Unlock()
		}
	}()
	return m
}

func (m *serviceManager) count(word string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, line := range m.said {
		if line == word {
			n++
		}
	}
	return n
}

// awaitMessage waits until the service has sent a message this often.
func (m *serviceManager) awaitMessage(word string, times int) {
	m.i.t.Helper()
	m.i.eventually(word, func() error {
		if n := m.count(word); n < times {
			return fmt.Errorf("sent %d times, want %d", n, times)
		}
		return nil
	})
}

// TestWatchdog verifies that the ingest is ready without ClickHouse, and that it notifies its watchdog only while it
// answers.
func TestWatchdog(t *testing.T) {
	i := newInstance(t, noClickHouse)
	writeFile(t, filepath.Join(i.dir, "hooktape.yaml"),
		"sources:\n  - {name: demo, token: a-token-of-this-test}\ningest: {max_connections: 1}\n")
	m := newServiceManager(i, 300*time.Millisecond)
	i.start("ingest")
	m.awaitMessage("READY=1", 1)
	m.awaitMessage("WATCHDOG=1", 3)

	// A request whose body does not arrive occupies the only connection, so no probe is answered. It may be refused,
	// because a probe had the connection, and it ends when the body is too slow.
	http.DefaultClient.CloseIdleConnections()
	var only net.Conn
	told, looked := -1, 0
	i.eventually("three checks in a row fail, without a message between them", func() (err error) {
		if only == nil || ended(only) {
			if only != nil {
				only.Close()
			}
			if only, err = net.Dial("tcp", i.ingest); err != nil {
				return err
			}
			fmt.Fprint(only,
				"POST /hooks/demo/a-token-of-this-test/start HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{")
		}
		failed := strings.Count(i.output.String(), "not healthy; the watchdog is not told otherwise")
		if now := m.count("WATCHDOG=1"); now != told {
			told, looked = now, failed
		}
		if failed < looked+3 {
			return fmt.Errorf("%d have failed, %d messages were sent", failed-looked, told)
		}
		return nil
	})
	only.Close()
	m.awaitMessage("WATCHDOG=1", told+2)
	i.stop()
	m.awaitMessage("STOPPING=1", 1)
}

// ended reports whether the other end has closed a connection.
func ended(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// TestReadiness verifies that the process is ready when the tables exist, and accepts webhooks before.
func TestReadiness(t *testing.T) {
	t.Parallel()
	engine := enginetest.Start(t)
	i := newInstance(t, engine.DSN("hooktape"))
	m := newServiceManager(i, 0)
	engine.Kill()
	i.start("serve")
	i.post(i.hookURL(), []byte("{}"))
	m.awaitMessage("STATUS=Waiting for ClickHouse; webhooks, if they are taken here, are taken", 1)
	// ready returns nil if /readyz of a listener is answered with 200.
	ready := func(addr string) error { return server.Check(t.Context(), addr, addr, "/readyz") }
	i.eventually("the API answers", func() error { return server.Check(t.Context(), "API", i.api, "/healthz") })
	if err := ready(i.ingest); err != nil {
		t.Errorf("the ingest is not ready, although it needs no ClickHouse: %v", err)
	}
	if err := ready(i.api); err == nil || m.count("READY=1") > 0 ||
		strings.Contains(i.output.String(), "hooktape is ready") {
		t.Errorf("ready without tables: %v\n%s", err, i.output)
	}
	engine.Restart()
	i.eventually("the API is ready", func() error { return ready(i.api) })
	if _, err := i.ask("SELECT count() FROM swept"); err != nil {
		t.Errorf("the API is ready without tables: %v", err)
	}
	m.awaitMessage("READY=1", 1)
	if got := i.cli("healthcheck"); got != "ingest: ok\nAPI: ok\n" {
		t.Errorf("the service is ready, but healthcheck printed %q", got)
	}
	i.stop()
	m.awaitMessage("STOPPING=1", 1)
}
