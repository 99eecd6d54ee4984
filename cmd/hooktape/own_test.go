package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"hooktape/internal/event"
	"hooktape/internal/store"

	"hooktape/internal/testutil/storetest"
)

// TestNothingIsSentToHooktape verifies that with the first configuration, which allows private addresses, neither the
// API's admin nor the command line can create a replay to hooktape itself, and that such a replay, if it exists,
// returns nothing.
func TestNothingIsSentToHooktape(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	ops := freeAddr(t)
	i.env = append(i.env, "HOOKTAPE_OPS_ADDR="+ops)
	i.startReady("serve")
	i.post(i.hookURL(), []byte(`{"name":"John"}`))
	i.eventually("the event is stored", func() error {
		_, err := i.ask("SELECT throwIf(count() = 0) FROM events")
		return err
	})
	engine, err := url.Parse(i.dsn)
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]string{
		"http://" + engine.Host + "/?query=SELECT+1":             "ClickHouse",
		"http://localhost:" + engine.Port() + "/?query=SELECT+1": "ClickHouse",
		"http://" + i.ingest + "/hooks/demo/token/again":         "listener for webhooks",
		"http://" + i.api + "/readyz":                            "API and console",
		"http://" + ops + "/metrics":                             "address for operators",
	}
	config, err := os.ReadFile(filepath.Join(i.dir, "hooktape.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(config), "\n  allow_private: true\n") {
		t.Errorf("the first configuration does not allow private addresses:\n%s", config)
	}
	remote := []string{"--api-url", "http://" + i.api}
	for to, what := range targets {
		for _, more := range [][]string{nil, remote} {
			got := i.try(append(more, "replay", "create", "--mode", "all", "--yes", "--to", to)...)
			if got.code != 1 || !strings.Contains(got.err, "is hooktape's own "+what) {
				t.Errorf("a replay to %s: exit code %d, %s%s", to, got.code, got.out, got.err)
			}
		}
		now := time.Now()
		r := event.Replay{ID: uuid.Must(uuid.NewV7()), CreatedAt: now, UpdatedAt: now, State: event.ReplayRunning,
			Endpoint: to, URL: to, ReplayOptions: event.ReplayOptions{Concurrency: 1, MaxAttempts: 1,
				Mode: event.ModeAll}}
		if r.Total, err = i.db.FreezeReplay(context.Background(), r); err != nil || r.Total != 1 {
			t.Fatalf("%d deliveries, %v", r.Total, err)
		}
		if err := i.db.SaveReplay(context.Background(), r); err != nil {
			t.Fatal(err)
		}
	}
	events, err := i.db.ListEvents(context.Background(), event.Selection{}, store.Page{Limit: 1})
	if err != nil || len(events) != 1 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	var attempts []event.Attempt
	i.eventually("the attempts are recorded", func() error {
		attempts, err = i.db.AttemptsOf(context.Background(), events[0].ID)
		if err == nil && len(attempts) < len(targets) {
			return fmt.Errorf("%d attempts", len(attempts))
		}
		return err
	})
	for _, a := range attempts {
		if a.Outcome != event.OutcomeForbidden || len(a.ResponseBody) > 0 ||
			!strings.Contains(a.Error, "is hooktape's own ") {
			t.Errorf("%s %s %q %s", a.URL, a.Outcome, a.Error, a.ResponseBody)
		}
	}
	i.stop()
}
