package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"hooktape/internal/testutil/storetest"
)

// TestConcurrentReplays verifies that of six replays created at the same moment, by the command line and by the API,
// each event is sent once.
func TestConcurrentReplays(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	received := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		received[r.Header.Get("X-Hooktape-Event-Id")]++
	}))
	defer server.Close()
	i := newInstance(t, storetest.DSN(t))
	writeFile(t, filepath.Join(i.dir, "hooktape.yaml"), fmt.Sprintf(replayTestConfig, server.URL))
	i.startReady("serve")
	const events = 40
	url := i.hookURL()
	for n := range events {
		i.post(url, fmt.Appendf(nil, `{"bothelp_user_id":"%d"}`, n))
	}
	i.eventually("the events are stored", func() error {
		if n, err := i.ask("SELECT count() FROM events"); err != nil || strings.TrimSpace(n) != fmt.Sprint(events) {
			return fmt.Errorf("%s of %d, %v", n, events, err)
		}
		return nil
	})
	results := make([]result, 6)
	var creating sync.WaitGroup
	for n := range results {
		args := []string{"replay", "create", "--source", "demo", "--to", "crm", "--yes"}
		if n%2 == 1 {
			args = append([]string{"--api-url", "http://" + i.api}, args...)
		}
		command := i.program(args...)
		creating.Go(func() { results[n] = i.resultOf(command, "") })
	}
	creating.Wait()
	mu.Lock()
	defer mu.Unlock()
	for id, n := range received {
		if n != 1 {
			t.Errorf("event %s was sent %d times", id, n)
		}
	}
	if len(received) != events || t.Failed() {
		t.Errorf("%d of %d events were sent; the commands returned %+v", len(received), events, results)
	}
	i.stop()
}
