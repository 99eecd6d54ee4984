package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hooktape/internal/event"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/grafanatest"
)

// diagnosis is what doctor has found.
type diagnosis struct {
	t      *testing.T
	code   int
	text   string
	OK     bool `json:"ok"`
	Checks []finding
}

// diagnose runs doctor within this process.
func diagnose(t *testing.T, args ...string) *diagnosis {
	t.Helper()
	var stdout, stderr bytes.Buffer
	d := &diagnosis{t: t}
	d.code = run(t.Context(), append(args, "doctor", "--json"), &stdout, &stderr)
	d.text = stdout.String() + stderr.String()
	if err := json.Unmarshal(stdout.Bytes(), d); err != nil {
		t.Fatalf("%v:\n%s", err, d.text)
	}
	for _, f := range d.Checks {
		if (f.Result == well) != (f.Do == "") {
			t.Errorf("%s says what to do where all is well, or nothing where it is not: %+v", f.Check, f)
		}
	}
	return d
}

// finds wants a finding that says so.
func (d *diagnosis) finds(result verdict, check, says string) {
	d.t.Helper()
	for _, f := range d.Checks {
		if f.Check == check && f.Result == result && strings.Contains(f.Says, says) {
			return
		}
	}
	d.t.Errorf("no %s of %s that says %q in\n%s", result, check, says, d.text)
}

// TestDoctorWell: on a set-up that is well, running or not, nothing is to be mended, and nothing is left behind.
func TestDoctorWell(t *testing.T) {
	t.Parallel()
	receiver := httptest.NewServer(http.NotFoundHandler())
	defer receiver.Close()
	i := newInstance(t, "")
	writeConfig(t, i)
	path := filepath.Join(i.dir, "hooktape.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, fmt.Sprintf("%s\nendpoints:\n  - {name: crm, url: '%s/', allow_private: true}\nspool: {min_free: 1MiB}\n", text, receiver.URL))
	i.startReady("serve")
	before := strings.Join(names(t, i.dir), " ")
	i.eventually(30*time.Second, "doctor finds all well", func() error {
		if r := i.try("doctor"); r.code != 0 {
			return fmt.Errorf("exit code %d:\n%s%s", r.code, r.out, r.err)
		}
		return nil
	})
	said := i.cli("doctor")
	for _, line := range []string{"✓ configuration   " + path + ": 1 source, 1 endpoint", "✓ data directory  " + i.dir + " can be written to; an fsync takes ", "✓ spool           events: in use by a running hooktape",
		"✓ listeners       the API at " + i.api + ": ready", "! hook URL        hook URLs begin with http://" + i.ingest, "                  → set public_url", "✓ ClickHouse      answers; version 26.", "✓ ClickHouse      the tables are up to date",
		"✓ ClickHouse      its clock agrees", "✓ endpoint crm    answers"} {
		if !strings.Contains(said, line) {
			t.Errorf("doctor does not say %q:\n%s", line, said)
		}
	}
	if after := strings.Join(names(t, i.dir), " "); after != before {
		t.Errorf("the data directory had %s, and has %s", before, after)
	}
	i.stop()
	stopped := i.try("doctor")
	if stopped.code != 2 || !strings.Contains(stopped.out, "✗ listeners       hooktape does not run here") || !strings.Contains(stopped.out, "! ClickHouse      the embedded engine does not answer") ||
		!strings.Contains(stopped.out, "✓ spool           events: all is in ClickHouse") {
		t.Errorf("while it does not run: exit code %d\n%s", stopped.code, stopped.out)
	}
}

// TestDoctorDeliveries: an endpoint that fails and one that does not keep up are to be mended, one that somebody has paused is to be
// known; tables that are on their way are no fault of deliveries.
func TestDoctorDeliveries(t *testing.T) {
	t.Parallel()
	i := keeping(t, "endpoints:\n  - {name: down, url: 'http://127.0.0.1:1/', allow_private: true}\n  - {name: slow, url: 'http://127.0.0.1:1/', allow_private: true}\n  - {name: held, url: 'http://127.0.0.1:1/', allow_private: true}\n  - {name: good, url: 'http://127.0.0.1:1/', allow_private: true}\n")
	d := diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn)
	for _, f := range d.Checks {
		if f.Check == "deliveries" {
			t.Errorf("without tables: %+v", f)
		}
	}
	i.cli("migrate")
	now := time.Now()
	for name, state := range map[string]string{"down": "broken", "slow": "active", "held": "paused", "good": "active"} {
		if err := i.db.SaveEndpointState(t.Context(), event.EndpointState{Endpoint: name, State: state, Reason: map[string]string{"down": "status 503"}[name], UpdatedAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	received := now.Add(-2 * time.Hour)
	for _, name := range []string{"down", "slow", "held"} {
		d := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: name, EventID: event.NewID(received)}, EventReceivedAt: received, State: event.Retrying, NextAt: now, UpdatedAt: now, CreatedAt: received}
		if err := i.db.RecordOutcomes(t.Context(), "", []event.Delivery{d}, nil); err != nil {
			t.Fatal(err)
		}
	}
	d = diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn)
	d.finds(problem, "deliveries", "down fails (status 503): 1 delivery waits, the oldest for an event received ")
	d.finds(problem, "deliveries", "slow: 1 delivery waits, the oldest for an event received ")
	d.finds(notice, "deliveries", "held is paused: 1 delivery waits, the oldest for an event received ")
	d.finds(well, "deliveries", "good: nothing waits")
	if d.code != 2 {
		t.Errorf("exit code %d", d.code)
	}
}

// TestCommandsAwaitTables: a command that comes before the tables waits for them, and says so.
func TestCommandsAwaitTables(t *testing.T) {
	t.Parallel()
	i := keeping(t, "")
	type waiting struct {
		*exec.Cmd
		said *testutil.Log
		want string
	}
	var commands []waiting
	for _, c := range []struct {
		args []string
		want string
	}{{[]string{"retention"}, "otel_traces"}, {[]string{"sql", "SELECT 'events: ', count() FROM events"}, "events: \t0"}, {[]string{"backup", filepath.Join(t.TempDir(), "backup")}, "0 rows of "}} {
		w := waiting{i.program(c.args...), &testutil.Log{}, c.want}
		w.Stderr = w.said
		if err := w.Start(); err != nil {
			t.Fatal(err)
		}
		i.eventually(30*time.Second, "it says that it waits", func() error {
			if !strings.Contains(w.said.String(), "the tables are not ready (version 0 of ") {
				return fmt.Errorf("%s: it says %q", c.args[0], w.said)
			}
			return nil
		})
		commands = append(commands, w)
	}
	i.cli("migrate")
	for _, w := range commands {
		if err := w.Wait(); err != nil || !strings.Contains(w.Stdout.(*bytes.Buffer).String(), w.want) {
			t.Errorf("%s: %v\n%s%s", w.Args, err, w.Stdout, w.said)
		}
	}
}

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestDoctorIll: each thing that is wrong is found, at once, in one sentence with what to do, and none tells a secret.
func TestDoctorIll(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	dir, nobody := t.TempDir(), freeAddr(t)
	writePair(t, dir, 1, time.Now().Add(-time.Hour))
	if err := os.MkdirAll(filepath.Join(dir, "spool", "events", "damaged-20260101T000000.000Z"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "hooktape.yaml")
	writeFile(t, path, fmt.Sprintf(`public_url: https://other.example.org
ingest_addr: %[1]s
api_addr: %[2]s
clickhouse: {dsn: "http://user:pass-s3cret@%[3]s/hooktape"}
tls: {cert: %[4]s/cert.pem, key: %[4]s/key.pem}
spool: {min_free: 4000TiB}
endpoints:
  - {name: nowhere, url: "https://no-such-host.invalid/?key=query-s3cret"}
  - {name: private, url: "http://localhost:80/"}
  - {name: dead, url: "http://%[6]s/?key=query-s3cret", allow_private: true}
  - {name: itself, url: "http://%[2]s/?key=query-s3cret", allow_private: true}
  - {name: untrusted, url: "%[5]s/", allow_private: true}
`, probed(t, 200, 503), nobody, silent.Addr(), dir, untrusted.URL, freeAddr(t)))
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+nobody)
	t.Setenv("GRAFANA_TOKEN", "grafana-s3cret")
	t.Setenv("GRAFANA_URL", "http://"+nobody)
	begun := time.Now()
	d := diagnose(t, "--data", dir)
	if took := time.Since(begun); took > examineTime+5*time.Second {
		t.Errorf("it took %v", took)
	}
	if d.code != 2 || d.OK {
		t.Errorf("exit code %d, ok: %v", d.code, d.OK)
	}
	d.finds(notice, "configuration", "everybody on this machine can read it")
	d.finds(notice, "configuration", "there is no source")
	d.finds(problem, "disk", "webhooks are answered with 503")
	d.finds(notice, "spool", "1 damaged database set aside")
	d.finds(problem, "listeners", "/readyz is answered with 503")
	d.finds(notice, "hook URL", "cannot be reached from here")
	d.finds(problem, "TLS certificate", "has expired on")
	d.finds(problem, "TLS certificate", "is not for other.example.org")
	d.finds(problem, "ClickHouse", "ClickHouse is not available")
	d.finds(problem, "endpoint nowhere", "no such host")
	d.finds(problem, "endpoint private", " is not on the public internet")
	d.finds(problem, "endpoint dead", "connection refused")
	d.finds(problem, "endpoint itself", "127.0.0.1 is hooktape's own API and console")
	d.finds(problem, "endpoint untrusted", "its certificate is refused")
	d.finds(problem, "Grafana", "Grafana does not answer")
	d.finds(problem, "collector", "does not take telemetry")
	if strings.Contains(d.text, "s3cret") {
		t.Errorf("it tells a secret:\n%s", d.text)
	}

	writeFile(t, path, "sources: [{name: demo, token: short-s3cret}]\nnonsense: 1\n")
	if d := diagnose(t, "--data", dir); d.code != 2 || len(d.Checks) != 1 || strings.Contains(d.text, "s3cret") {
		t.Errorf("a wrong configuration: exit code %d\n%s", d.code, d.text)
	}
}

// TestDoctorClickHouse: what a user may not do, and tables that this program does not know.
func TestDoctorClickHouse(t *testing.T) {
	engine := enginetest.StartServer(t)
	i := newInstance(t, engine.DSN("hooktape"))
	writeConfig(t, i)
	d := diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn)
	d.finds(notice, "ClickHouse", "there are no tables yet")
	i.cli("migrate")
	i.query("INSERT INTO goose_db_version (version_id, is_applied) VALUES (10000, 1)")
	diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn).finds(problem, "ClickHouse", "the tables are newer (10000) than this program knows")
	i.query("ALTER TABLE goose_db_version DELETE WHERE version_id > 25 SETTINGS mutations_sync = 2")
	diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn).finds(notice, "ClickHouse", "the tables are at 25, and this program brings them to")
	i.query("INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1)")
	diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn).finds(problem, "ClickHouse", "the tables are at 25, and this program updates from 35 on")

	engine.Kill()
	users := filepath.Join(engine.Dir(), "hooktape-users.d")
	if err := os.MkdirAll(users, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(users, "poor.xml"), `<clickhouse><profiles><poor><deduplicate_insert>disable</deduplicate_insert></poor></profiles><users><default replace="replace">
		<password></password><networks><ip>::/0</ip></networks><profile>poor</profile><quota>default</quota>
		<grants><query>GRANT SELECT, INSERT ON hooktape.*</query></grants></default></users></clickhouse>`)
	engine.Restart()
	d = diagnose(t, "--data", i.dir, "--clickhouse-dsn", i.dsn)
	d.finds(problem, "ClickHouse", "the user lacks ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE")
	d.finds(problem, "ClickHouse", "deduplicate_insert=disable")
}

// TestDoctorCluster: what a cluster lacks, one that the server does not know, and one that cannot be.
func TestDoctorCluster(t *testing.T) {
	dsn, dir := fmt.Sprintf(enginetest.Cluster(t, nil), 0), t.TempDir()
	configured := func(name, dsn string) *diagnosis {
		t.Helper()
		writeFile(t, filepath.Join(dir, "hooktape.yaml"), fmt.Sprintf("clickhouse: {cluster: %q, dsn: %q}\n", name, dsn))
		return diagnose(t, "--data", dir)
	}
	d := configured(enginetest.ClusterName, dsn)
	d.finds(well, "ClickHouse", "the cluster two has 2 shards and 1 server")
	d.finds(problem, "ClickHouse", "the server that was asked has no macro shard, replica")
	d.finds(problem, "ClickHouse", "Keeper cannot be used")
	d.finds(notice, "ClickHouse", "there are no tables yet")
	configured(enginetest.HalfCluster, dsn).finds(problem, "ClickHouse", "of the servers 1 cannot be reached from the one that was asked")
	configured("elsewhere", dsn).finds(problem, "ClickHouse", `knows no cluster "elsewhere"`)
	configured("two", "").finds(problem, "ClickHouse", "the embedded engine is no cluster")

	var out, errs bytes.Buffer
	configured(enginetest.ClusterName, dsn)
	if code := run(t.Context(), []string{"--data", dir, "migrate"}, &out, &errs); code != 0 || !strings.Contains(out.String(), "migrations applied") {
		t.Fatalf("exit code %d: %s%s", code, &out, &errs)
	}
	configured(enginetest.ClusterName, dsn).finds(well, "ClickHouse", "the tables are up to date")
	configured("", dsn)
	if code := run(t.Context(), []string{"--data", dir, "migrate"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "set clickhouse.cluster to the cluster's name") {
		t.Errorf("without the cluster's name: exit code %d: %s", code, &errs)
	}
}

// TestDoctorGrafana: it tells whether the dashboards are there, and writes nothing.
func TestDoctorGrafana(t *testing.T) {
	grafana, dir := grafanatest.New(t), t.TempDir()
	writeFile(t, filepath.Join(dir, "hooktape.yaml"), "")
	t.Setenv("GRAFANA_URL", grafana.URL)
	t.Setenv("GRAFANA_TOKEN", grafanatest.AdminToken)
	diagnose(t, "--data", dir, "--clickhouse-dsn", "http://127.0.0.1:1/").finds(notice, "Grafana", "6 dashboards not there")
	if n := grafana.Writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"dashboards", "push", "--no-datasource"}, &out, &out); code != 0 {
		t.Fatalf("push: %s", &out)
	}
	diagnose(t, "--data", dir, "--clickhouse-dsn", "http://127.0.0.1:1/").finds(well, "Grafana", "the dashboards are there")
}
