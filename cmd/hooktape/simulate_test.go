package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/internal/simulate"

	"hooktape/internal/testutil/storetest"
)

// TestSimulateLive posts simulated webhooks to the real ingest and compares the stored events with the truth.
func TestSimulateLive(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	i.start("serve")
	i.cli("sources", "add", "webinar")
	i.cli("sources", "add", "chat", "--signing-token", "a-token-of-bothelp")
	i.eventually("the added sources work", func() error {
		if !strings.Contains(i.output.String(), "sources=3") {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	file := filepath.Join(t.TempDir(), "truth.json")
	i.cli("simulate", "--rate", "60", "--for", "8s", "--truth", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r simulate.Report
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	if r.All.Events < 150 || r.All.Events > 1500 {
		t.Errorf("%d requests in 8 s at 60 a second", r.All.Events)
	}
	i.eventually("all events are stored", func() error { // on a busy machine the engine may start after the last webhook
		got, err := i.ask("SELECT count() FROM events")
		if err == nil && strings.TrimSpace(got) != fmt.Sprint(r.All.Events) {
			err = fmt.Errorf("%s events stored, %d posted", got, r.All.Events)
		}
		return err
	})
	for verdict, n := range r.All.Verdicts {
		assertNumber(i, verdict, "SELECT count() FROM events WHERE verdict = '"+verdict+"'", n)
	}
	assertNumber(i, "decode errors", "SELECT countIf(decode_error != '') FROM events", r.All.DecodeErrors)
	assertNumber(i, "retries", "SELECT countIf(duplicate_of != toUUID('00000000-0000-0000-0000-000000000000')) FROM events", r.All.Duplicates)
	for source, s := range r.Sources {
		for step, n := range s.Steps {
			assertNumber(i, source+", "+step, fmt.Sprintf("SELECT uniqExact(bothelp_user_id) FROM events WHERE kind = 'flow' AND bothelp_user_id != '' AND source = '%s' AND step = '%s'", source, step), n)
		}
	}
	if r.Sources["demo"] == nil || len(r.Sources["demo"].Steps) < 4 || r.Sources["webinar"] == nil || r.Sources["chat"] == nil {
		t.Errorf("sources and steps: %s", text)
	}
}

func assertNumber(i *instance, what, query string, want uint64) {
	i.t.Helper()
	if got := strings.TrimSpace(i.query(query)); got != fmt.Sprint(want) {
		i.t.Errorf("%s: %s stored, want %d", what, got, want)
	}
}

// TestSimulateBackfill runs a backfill twice and verifies that the second run adds nothing.
func TestSimulateBackfill(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	i.configure("")
	args := []string{"simulate", "--days", "10", "--subscribers", "300", "--until", "2026-03-02T00:00:00Z", "--json"}
	first, second := i.cli(args...), i.cli(args...)
	var r simulate.Report
	if err := json.Unmarshal([]byte(first), &r); err != nil || first != second {
		t.Fatalf("%v, %d and %d bytes", err, len(first), len(second))
	}
	assertNumber(i, "events", "SELECT count() FROM events", r.All.Events)
	assertNumber(i, "leads", "SELECT uniqExact(bothelp_user_id) FROM events WHERE source = 'course' AND step = 'start' AND kind = 'flow' AND bothelp_user_id != ''", r.Sources["course"].Funnel.Leads)
	if dry := i.cli(append(args, "--dry-run")...); dry != first {
		t.Error("a dry run reports another truth")
	}
}
