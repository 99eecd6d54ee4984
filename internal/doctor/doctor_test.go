package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hooktape/dashboards"
	"hooktape/dashboards/push"
	"hooktape/ingest"
	"hooktape/internal/config"
	"hooktape/internal/event"
	"hooktape/internal/store"
	"hooktape/internal/testutil"
	"hooktape/internal/testutil/enginetest"
	"hooktape/internal/testutil/grafanatest"
	"hooktape/internal/testutil/storetest"
	"hooktape/replay"
)

// diagnosis has the findings of doctor.
type diagnosis struct {
	t        *testing.T
	findings []Finding
}

// diagnose writes a configuration file and runs doctor with it.
func diagnose(t *testing.T, o Options, text string) diagnosis {
	t.Helper()
	writeFile(t, o.File.Path, text)
	d := diagnosis{t, Run(t.Context(), o)}
	for _, f := range d.findings {
		if (f.Result == OK) != (f.Do == "") {
			t.Errorf("want a remedy if and only if the result is not ok: %+v", f)
		}
	}
	return d
}

// options returns the options of a new data directory.
func options(t *testing.T) Options {
	data := config.DataDir(t.TempDir())
	return Options{File: config.File{Path: data.ConfigFile(), Data: data}}
}

// finds fails the test unless the diagnosis has this finding.
func (d diagnosis) finds(result Result, check, says string) {
	d.t.Helper()
	for _, f := range d.findings {
		if f.Check == check && f.Result == result && strings.Contains(f.Says, says) {
			return
		}
	}
	d.t.Errorf("no %s of check %s contains %q in\n%s", result, check, says, d)
}

func (d diagnosis) String() string {
	var text strings.Builder
	for _, f := range d.findings {
		fmt.Fprintf(&text, "%s %s: %s; %s\n", f.Result, f.Check, f.Says, f.Do)
	}
	return text.String()
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := testutil.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

func openStore(t *testing.T, dsn string) *store.Store {
	t.Helper()
	db, err := store.Open(dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// TestDeliveries verifies that failing and slow endpoints are problems and a paused one is a warning. Missing tables
// are not a problem of deliveries.
func TestDeliveries(t *testing.T) {
	o := options(t)
	const endpoints = "endpoints: [{name: down, url: &url 'http://127.0.0.1:1/', allow_private: true}, {name: slow, " +
		"url: *url, allow_private: true}, " +
		"{name: held, url: *url, allow_private: true}, {name: good, url: *url, allow_private: true}]\n"
	d := diagnose(t, o, fmt.Sprintf("clickhouse: {dsn: %q}\n%s", enginetest.DSN(t), endpoints))
	for _, f := range d.findings {
		if f.Check == "deliveries" {
			t.Errorf("without tables: %+v", f)
		}
	}
	dsn := storetest.DSN(t)
	db, now := openStore(t, dsn), time.Now()
	for name, state := range map[string]string{"down": "failing", "slow": "active", "held": "paused", "good": "active"} {
		reason := map[string]string{"down": "status 503"}[name]
		if err := db.SaveEndpointState(t.Context(),
			event.EndpointState{Endpoint: name, State: state, Reason: reason, UpdatedAt: now}); err != nil {
			t.Fatal(err)
		}
	}
	received := now.Add(-2 * time.Hour)
	for _, name := range []string{"down", "slow", "held"} {
		d := event.Delivery{DeliveryKey: event.DeliveryKey{Endpoint: name, EventID: event.NewID(received)},
			EventReceivedAt: received, State: event.Retrying, NextAt: now, UpdatedAt: now, CreatedAt: received}
		if err := db.RecordOutcomes(t.Context(), "", []event.Delivery{d}, nil); err != nil {
			t.Fatal(err)
		}
	}
	d = diagnose(t, o, fmt.Sprintf("clickhouse: {dsn: %q}\n%s", dsn, endpoints))
	d.finds(Problem, "deliveries", "down fails (status 503): 1 delivery waits, the oldest for an event received ")
	d.finds(Problem, "deliveries", "slow: 1 delivery waits, the oldest for an event received ")
	d.finds(Warning, "deliveries", "held is paused: 1 delivery waits, the oldest for an event received ")
	d.finds(OK, "deliveries", "good: nothing waits")
}

// TestBotsOf verifies that a finding about an endpoint names the sources whose bots wait for it.
func TestBotsOf(t *testing.T) {
	d := &doctor{cfg: &config.Config{Sources: []config.Source{{Name: "demo"},
		{Name: "price", Forward: &ingest.Forward{To: "dead"}}}}}
	if got := d.botsOf("dead"); got != "; bots of the source price get the fallback" {
		t.Errorf("got %q", got)
	}
	if got := d.botsOf("crm"); got != "" {
		t.Errorf("got %q for an endpoint that answers no bot", got)
	}
}

// TestForward verifies that doctor warns of a fallback without the expected keys, and of requests that an endpoint gets
// twice.
func TestForward(t *testing.T) {
	source := func(body string) config.Source {
		return config.Source{Name: "price", Forward: &ingest.Forward{To: "crm", Expect: []string{"price", "offer.paid"},
			Fallback: ingest.Answer{Body: body}}}
	}
	endpoint := func(name string, sub *replay.Subscription) config.Endpoint {
		e := config.Endpoint{Endpoint: replay.DefaultEndpoint(name, "https://crm.example.org/")}
		e.Subscribe = sub
		return e
	}
	for _, c := range []struct {
		body string
		sub  *replay.Subscription
		want string
	}{
		{`{"price":"","offer":{"paid":""}}`, nil, ""},
		{`{"price":""}`, nil, "source price: the fallback lacks expected keys: offer.paid"},
		{`{}`, nil, "source price: the fallback lacks expected keys: price, offer.paid"},
		{`{"price":"","offer":{"paid":""}}`, &replay.Subscription{},
			"endpoint crm gets each request of the source price twice: forwarded, and by its subscription"},
		{`{"price":"","offer":{"paid":""}}`, &replay.Subscription{Sources: []string{"demo", "price"}},
			"endpoint crm gets each request of the source price twice: forwarded, and by its subscription"},
		{`{"price":"","offer":{"paid":""}}`, &replay.Subscription{Sources: []string{"demo"}}, ""},
	} {
		s := source(c.body)
		d := &doctor{cfg: &config.Config{Sources: []config.Source{s}, Endpoints: []config.Endpoint{endpoint("crm", c.sub),
			endpoint("other", &replay.Subscription{})}}}
		var texts []string
		for _, f := range d.forward(s) {
			texts = append(texts, f.Says)
		}
		if got := strings.Join(texts, "; "); got != c.want {
			t.Errorf("%s, %+v: %q, want %q", c.body, c.sub, got, c.want)
		}
	}
}

// TestProblems verifies that doctor finds all problems in one run, describes each in one sentence, and shows no secret.
func TestProblems(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections but never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	unready := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer unready.Close()
	o, nobody := options(t), freeAddr(t)
	dir := string(o.File.Data)
	expiredPair(t, dir)
	if err := os.MkdirAll(filepath.Join(o.File.Data.Spool(config.EventSpool), "damaged-20260101T000000.000Z"),
		0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, o.File.Path, "")
	if err := os.Chmod(o.File.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+nobody)
	t.Setenv("GRAFANA_TOKEN", "grafana-s3cret")
	o.GrafanaURL = "http://" + nobody
	begun := time.Now()
	d := diagnose(t, o, fmt.Sprintf(`public_url: https://other.example.org
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
`, unready.Listener.Addr(), nobody, silent.Addr(), dir, untrusted.URL, freeAddr(t)))
	if took := time.Since(begun); took > checkTime+5*time.Second {
		t.Errorf("it took %v", took)
	}
	d.finds(Warning, "configuration", "everybody on this machine can read it")
	d.finds(Warning, "configuration", "there is no source")
	d.finds(Problem, "disk", "webhooks are answered with 503")
	d.finds(Warning, "spool", "1 damaged database set aside")
	d.finds(Problem, "listeners", "/readyz is answered with 503")
	d.finds(Warning, "hook URL", "cannot be reached from here")
	d.finds(Problem, "TLS certificate", "has expired on")
	d.finds(Problem, "TLS certificate", "is not for other.example.org")
	d.finds(Problem, "ClickHouse", "ClickHouse is not available")
	d.finds(Problem, "endpoint nowhere", "no such host")
	d.finds(Problem, "endpoint private", " is not on the public internet")
	d.finds(Problem, "endpoint dead", "connection refused")
	d.finds(Problem, "endpoint itself", "127.0.0.1 is hooktape's own API and console")
	d.finds(Problem, "endpoint untrusted", "its certificate is refused")
	d.finds(Problem, "Grafana", "Grafana does not answer")
	d.finds(Problem, "collector", "does not take telemetry")
	if strings.Contains(d.String(), "s3cret") {
		t.Errorf("a secret is shown:\n%s", d)
	}

	d = diagnose(t, o, "sources: [{name: demo, token: short-s3cret}]\nnonsense: 1\n")
	if len(d.findings) != 1 || d.findings[0].Result != Problem || strings.Contains(d.String(), "s3cret") {
		t.Errorf("an invalid configuration:\n%s", d)
	}
}

// expiredPair writes an expired certificate for hooks.example.org and its key into a directory.
func expiredPair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(-time.Hour),
		DNSNames: []string{"hooks.example.org"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cert.pem"),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	writeFile(t, filepath.Join(dir, "key.pem"),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}

// TestSchema verifies the findings for tables that are newer than this program, or too old for an update.
func TestSchema(t *testing.T) {
	o, dsn := options(t), storetest.DSN(t)
	conn := enginetest.Connect(t, dsn)
	for _, c := range []struct {
		statement string
		result    Result
		says      string
	}{
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (10000, 1)", Problem,
			"the tables are newer (10000) than this program knows"},
		{"ALTER TABLE goose_db_version DELETE WHERE version_id > 25 SETTINGS mutations_sync = 2", Warning,
			"the tables are at 25, and this program brings them to"},
		{"INSERT INTO goose_db_version (version_id, is_applied) VALUES (1, 1)", Problem,
			"the tables are at 25, and this program updates from 35 on"},
	} {
		if err := conn.Exec(t.Context(), c.statement); err != nil {
			t.Fatal(err)
		}
		diagnose(t, o, fmt.Sprintf("clickhouse: {dsn: %q}\n", dsn)).finds(c.result, "ClickHouse", c.says)
	}
}

// TestRights verifies that doctor reports the rights that a user of a real server lacks.
func TestRights(t *testing.T) {
	engine, o := enginetest.StartServer(t), options(t)
	configuration := fmt.Sprintf("clickhouse: {dsn: %q}\n", engine.DSN("hooktape"))
	diagnose(t, o, configuration).finds(Warning, "ClickHouse", "there are no tables yet")
	engine.Kill()
	users := filepath.Join(engine.Dir(), "hooktape-users.d")
	if err := os.MkdirAll(users, 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(users, "poor.xml"), `<clickhouse><profiles><poor><deduplicate_insert>disable</deduplicate_insert></poor></profiles><users><default replace="replace">
		<password></password><networks><ip>::/0</ip></networks><profile>poor</profile><quota>default</quota>
		<grants><query>GRANT SELECT, INSERT ON hooktape.*</query></grants></default></users></clickhouse>`)
	engine.Restart()
	d := diagnose(t, o, configuration)
	d.finds(Problem, "ClickHouse", "the user lacks ALTER, CREATE TABLE, CREATE VIEW, DROP TABLE")
	d.finds(Problem, "ClickHouse", "deduplicate_insert=disable")
}

// TestCluster verifies the findings for a misconfigured cluster, an unknown one and an impossible one.
func TestCluster(t *testing.T) {
	dsn, o := fmt.Sprintf(enginetest.Cluster(t, nil), 0), options(t)
	configured := func(name, dsn string) diagnosis {
		t.Helper()
		return diagnose(t, o, fmt.Sprintf("clickhouse: {cluster: %q, dsn: %q}\n", name, dsn))
	}
	d := configured(enginetest.ClusterName, dsn)
	d.finds(OK, "ClickHouse", "the cluster two has 2 shards and 1 server")
	d.finds(Problem, "ClickHouse", "the server that was asked has no macro shard, replica")
	d.finds(Problem, "ClickHouse", "Keeper cannot be used")
	d.finds(Warning, "ClickHouse", "there are no tables yet")
	configured(enginetest.HalfCluster, dsn).finds(Problem, "ClickHouse",
		"of the servers 1 cannot be reached from the one that was asked")
	configured("elsewhere", dsn).finds(Problem, "ClickHouse", `knows no cluster "elsewhere"`)
	configured("two", "").finds(Problem, "ClickHouse", "the embedded engine is no cluster")

	migrate := func(cluster string) error {
		db, err := store.OpenCluster(dsn, cluster)
		if err != nil {
			return err
		}
		defer db.Close()
		_, err = db.Migrate(context.Background())
		return err
	}
	if err := migrate(enginetest.ClusterName); err != nil {
		t.Fatal(err)
	}
	configured(enginetest.ClusterName, dsn).finds(OK, "ClickHouse", "the tables are up to date")
	if err := migrate(""); err == nil ||
		!strings.Contains(err.Error(), "set clickhouse.cluster to the cluster's name") {
		t.Errorf("cluster tables without the cluster's name: %v", err)
	}
}

// TestGrafana verifies that doctor reports whether the dashboards are installed, and writes nothing to Grafana.
func TestGrafana(t *testing.T) {
	grafana, o := grafanatest.New(t), options(t)
	o.GrafanaURL = grafana.URL
	t.Setenv("GRAFANA_TOKEN", grafanatest.AdminToken)
	const noDatabase = "clickhouse: {dsn: 'http://127.0.0.1:1/'}\n"
	diagnose(t, o, noDatabase).finds(Warning, "Grafana", "7 dashboards not there")
	if n := grafana.Writes(); n != 0 {
		t.Errorf("doctor sent %d writes to Grafana", n)
	}
	boards, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	client, err := push.Open(t.Context(), grafana.URL, grafanatest.AdminToken)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Push(push.Bundle{FolderUID: dashboards.FolderUID, Folder: dashboards.Folder,
		Dashboards: boards}, false); err != nil {
		t.Fatal(err)
	}
	diagnose(t, o, noDatabase).finds(OK, "Grafana", "the dashboards are there")
}
