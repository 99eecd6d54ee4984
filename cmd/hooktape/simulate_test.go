package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
	// on a busy machine the engine may start after the last webhook
	i.eventually("all events are stored", func() error {
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
	assertNumber(i, "retries",
		"SELECT countIf(duplicate_of != toUUID('00000000-0000-0000-0000-000000000000')) FROM events", r.All.Duplicates)
	for source, s := range r.Sources {
		for step, n := range s.Steps {
			assertNumber(i, source+", "+step,
				fmt.Sprintf("SELECT uniqExact(bothelp_user_id) FROM events WHERE kind = 'flow' AND bothelp_user_id "+
					"!= '' AND source = '%s' AND step = '%s'", source, step), n)
		}
	}
	if r.Sources["demo"] == nil || len(r.Sources["demo"].Steps) < 4 || r.Sources["webinar"] == nil ||
		r.Sources["chat"] == nil {
		t.Errorf("sources and steps: %s", text)
	}
}

// TestSimulateExternalRequests posts External Requests through the real ingest to the simulated backend, and compares
// what the bots got with the stored attempts. Ordinary webhooks avoid the source that forwards, although it has the
// name of a simulated flow.
func TestSimulateExternalRequests(t *testing.T) {
	t.Parallel()
	i := newInstance(t, storetest.DSN(t))
	i.configure("")
	if r := i.try("simulate", "--rate", "60", "--for", "6s", "--backend", freeAddr(t)); r.code == 0 ||
		!strings.Contains(r.err, "no source forwards") {
		t.Errorf("without a source that forwards: exit code %d, %s", r.code, r.err)
	}
	backend := freeAddr(t)
	i.configure("  - {name: webinar, token: " + someToken + `, forward: {to: backend, deadline: 2s, append: [path, query], expect: [price, paid]}}
endpoints:
  - {name: backend, url: 'http://` + backend + `/bot', allow_private: true, breaker: {failures: 1000}}
`)
	i.start("serve")
	r := i.try("simulate", "--rate", "60", "--for", "6s", "--backend", backend)
	// the last line
	counts := regexp.MustCompile(`(\d+) external requests \((\d+) without.*\n$`).FindStringSubmatch(r.err)
	if r.code != 0 || counts == nil {
		t.Fatalf("exit code %d, %s", r.code, r.err)
	}
	i.eventually("all attempts are stored", func() error {
		got, err := i.ask("SELECT uniqExact(id) FROM attempts WHERE kind = 'forward'")
		if err == nil && strings.TrimSpace(got) != counts[1] {
			err = fmt.Errorf("%s attempts stored, %s requests posted", got, counts[1])
		}
		return err
	})
	forwarded := func(what string) string {
		return strings.TrimSpace(i.query("SELECT uniqExact(id) FROM attempts WHERE kind = 'forward' AND " + what))
	}
	if got := forwarded("fallback = '' AND outcome != 'delivered'"); got != counts[2] {
		t.Errorf("%s bots without a whole answer of status 200, %s such attempts", counts[2], got)
	}
	for _, some := range []string{`startsWith(response_body, '{"price":"') AND status_code = 200 AND missing_keys = []`,
		"missing_keys = ['paid']", "status_code = 500", "outcome = 'broken_answer'", "fallback = 'deadline'"} {
		if forwarded(some) == "0" {
			t.Errorf("no attempt with %s", some)
		}
	}
	for _, method := range []string{"method = 'GET' AND query LIKE '%bothelp_user_id=%'",
		"method = 'POST' AND bothelp_user_id != ''"} {
		if n := strings.TrimSpace(i.query("SELECT count() FROM events WHERE source = 'webinar' AND step = 'quote' AND " + method)); n == "0" {
			t.Errorf("no event with %s", method)
		}
	}
	assertNumber(i, "webhooks to the source that forwards",
		"SELECT count() FROM events WHERE source = 'webinar' AND step != 'quote'", 0)
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
	assertNumber(i, "leads",
		"SELECT uniqExact(bothelp_user_id) FROM events WHERE source = 'course' AND step = 'start' AND kind = 'flow' "+
			"AND bothelp_user_id != ''", r.Sources["course"].Funnel.Leads)
	if dry := i.cli(append(args, "--dry-run")...); dry != first {
		t.Error("a dry run reports another truth")
	}
	for range 2 {
		if with := i.cli(append(args, "--external-requests")...); with != first {
			t.Error("External Requests change the truth")
		}
	}
	assertNumber(i, "webhooks", "SELECT count() FROM events WHERE source != 'price'", r.All.Events)
	external, err := strconv.ParseUint(strings.TrimSpace(i.query("SELECT count() FROM events WHERE source = 'price'")),
		10, 64)
	if err != nil || external < r.All.Events/8 {
		t.Errorf("%d External Requests with %d webhooks, %v", external, r.All.Events, err)
	}
	assertNumber(i, "attempts of External Requests", `SELECT uniqExact(id) FROM attempts WHERE kind = 'forward'
		AND event_id IN (SELECT id FROM events WHERE source = 'price')`, external)
	for _, some := range []string{"fallback = 'deadline' AND status_code = 0", "missing_keys = ['paid']", "status_code = 500",
		"outcome = 'broken_answer'", "fallback = '' AND outcome = 'delivered' AND overhead_ms > 0"} {
		if strings.TrimSpace(i.query("SELECT count() FROM attempts WHERE "+some)) == "0" {
			t.Errorf("no attempt with %s", some)
		}
	}
}
