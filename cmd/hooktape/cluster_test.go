package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil/enginetest"
)

func TestCluster(t *testing.T) {
	databases := enginetest.Cluster(t, store.ShardedBy())
	t.Run("grow", func(t *testing.T) { testGrow(t, fmt.Sprintf(databases, 0)) })
	t.Run("spool", func(t *testing.T) { testSpoolToCluster(t, fmt.Sprintf(databases, 1)) })
}

// testGrow follows the documentation from one server to a cluster: it restores a backup of the server on the cluster.
func testGrow(t *testing.T, two string) {
	one := enginetest.DSN(t)
	dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	hooktape := func(args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"--data", dir}, args...), &out, &errs); code != 0 {
			t.Fatalf("%v: exit code %d: %s%s", args, code, &out, &errs)
		}
	}
	configure := func(cluster, dsn string) *store.Store {
		t.Helper()
		writeFile(t, filepath.Join(dir, "hooktape.yaml"),
			fmt.Sprintf("clickhouse: {cluster: %q, dsn: %q}\nretention: {events: 30d}\n", cluster, dsn))
		db, err := store.OpenCluster(dsn, cluster)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}

	from := configure("", one)
	hooktape("migrate")
	events := fillForGrowth(t, from)
	hooktape("backup", backup)
	to := configure(enginetest.ClusterName, two)
	hooktape("restore", "--dry-run", backup)
	hooktape("restore", backup)
	hooktape("migrate") // applies its retention
	kept, err := to.RetentionReport(t.Context(), store.Retention{})
	if err != nil || kept[0].What != "events" || kept[0].InForce != "30d" {
		t.Errorf("the cluster's retention is %+v, %v", kept, err)
	}
	for _, table := range store.Tables {
		want, err := from.CountRows(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := to.CountRows(t.Context(), table); got != want || err != nil {
			t.Errorf("%s has %d rows, %v; want %d", table, got, err, want)
		}
	}
	for _, e := range events {
		if got, err := to.Event(t.Context(), e.ID); err != nil || !bytes.Equal(got.Body, e.Body) {
			t.Fatalf("event %s: %v", e.ID, err)
		}
	}
	if undelivered, err := to.CountEvents(t.Context(), event.Selection{UndeliveredTo: "crm"}, 0); err != nil ||
		undelivered != 20 {
		t.Errorf("%d events are undelivered, %v; want the other half", undelivered, err)
	}
}

// fillForGrowth stores forty events and delivers half of them.
func fillForGrowth(t *testing.T, db *store.Store) (events []event.Event) {
	t.Helper()
	var deliveries []event.Delivery
	for i := range 40 {
		at := time.Now().UTC().Truncate(time.Microsecond)
		events = append(events, event.Event{Received: event.Received{ID: event.NewID(at), ReceivedAt: at,
			Source: "demo", Verdict: event.Accepted, Method: "POST", Path: "/hooks/demo/***", Body: fmt.Appendf(nil,
				"{\"n\": %d}", i)}, Decoded: event.Decoded{Kind: event.KindFlow}})
		if i%2 == 0 {
			deliveries = append(deliveries, event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: "crm",
				EventID: events[i].ID}, EventReceivedAt: at,
				State: event.Delivered, Attempts: 1, UpdatedAt: at})
		}
	}
	ctx := context.Background()
	if err := db.InsertEvents(ctx, "", events); err != nil {
		t.Fatal(err)
	}
	if err := db.InsertDeliveries(ctx, deliveries); err != nil {
		t.Fatal(err)
	}
	return events
}

// testSpoolToCluster verifies that webhooks received while ClickHouse was away are later stored on the cluster and
// delivered.
func testSpoolToCluster(t *testing.T, two string) {
	var got atomic.Int64
	crm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	defer crm.Close()
	i := newInstance(t, noClickHouse)
	writeConfig(t, i)
	i.start("ingest")
	hook := i.hookURL()
	for n := range 20 {
		i.post(hook, fmt.Appendf(nil, `{"bothelp_user_id": %d, "name": "n"}`, n))
	}
	i.stop()
	until := time.Now()

	path := filepath.Join(i.dir, "hooktape.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path,
		fmt.Sprintf("%s\nclickhouse: {cluster: %s}\nendpoints:\n  - {name: crm, url: '%s/', allow_private: true, "+
			"subscribe: {sources: [demo]}}\n", text, enginetest.ClusterName, crm.URL))
	i.env = append(i.env, "HOOKTAPE_CLICKHOUSE_DSN="+two)
	i.startReady("serve")
	db, err := store.OpenCluster(two, enginetest.ClusterName)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	i.eventually("all events are stored once, and those after the endpoint's start are delivered", func() error {
		i.post(hook, []byte(`{"bothelp_user_id": 7, "name": "later"}`))
		stored, err := db.CountEvents(t.Context(), event.Selection{Until: &until}, 0)
		if stored != 20 || err != nil || got.Load() == 0 {
			return fmt.Errorf("%d stored, %v; %d delivered", stored, err, got.Load())
		}
		return nil
	})
	i.stop()
}
