package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/dashboards/push"
	"hooktape/internal/testutil/grafanatest"
)

// runInProcess runs a command in this process, with the configuration of dir.
func runInProcess(t *testing.T, dir string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"--data", dir}, args...), &stdout, &stderr)
	for _, secret := range []string{grafanatest.AdminToken, "s3cret"} {
		if strings.Contains(stdout.String()+stderr.String(), secret) {
			t.Errorf("%v shows the secret %s:\n%s%s", args, secret, &stdout, &stderr)
		}
	}
	return result{stdout.String(), stderr.String(), code}
}

const pushTestConfig = `clickhouse: {dsn: "clickhouse://hooktape:s3cret@127.0.0.1:9000/tape"}
sources: []
`

func TestDashboardsPush(t *testing.T) {
	grafana, dir := grafanatest.New(t), t.TempDir()
	token := filepath.Join(dir, "token")
	for file, text := range map[string]string{token: grafanatest.AdminToken + "\n",
		filepath.Join(dir, "hooktape.yaml"): pushTestConfig} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	push1 := func(args ...string) result {
		t.Helper()
		return runInProcess(t, dir, append([]string{"dashboards", "push", "--grafana-url", grafana.URL,
			"--grafana-token-file", token}, args...)...)
	}
	if r := push1("--dry-run"); r.code != 0 || !strings.Contains(r.out, `+    "username": "hooktape"`) ||
		!strings.Contains(r.out,
			"\nwould be created  data source  hooktape                hooktape-clickhouse     -\n") ||
		grafana.Writes() != 0 {
		t.Errorf("dry run: %+v, %d writes", r, grafana.Writes())
	}
	const want = `RESULT   KIND         TITLE                   UID                     NOTE
created  data source  hooktape                hooktape-clickhouse     -
created  folder       hooktape                hooktape                -
created  dashboard    Webhooks                hooktape-webhooks       -
created  dashboard    Conversion and UTM      hooktape-conversion     -
created  dashboard    Conversations           hooktape-conversations  -
created  dashboard    Deliveries and replays  hooktape-deliveries     -
created  dashboard    External requests       hooktape-external       -
created  dashboard    Subscriber              hooktape-subscriber     -
created  dashboard    Pipeline                hooktape-pipeline       -
`
	if r := push1(); r != (result{want, "", 0}) {
		t.Errorf("first push: %+v", r)
	}
	if password := grafana.Password("hooktape-clickhouse"); password != "s3cret" {
		t.Errorf("Grafana has the password %q, want the DSN's", password)
	}
	if r := push1(); r.code != 0 || strings.Count(r.out, "unchanged  ") != 9 ||
		!strings.Contains(r.out, "the password is written again") {
		t.Errorf("second push: %+v", r)
	}
	t.Setenv("HOOKTAPE_GRAFANA_PASSWORD", "an0ther")
	r := push1("--datasource-dsn", "http://grafana@clickhouse/hooktape", "--json")
	var changes []push.Change
	if err := json.Unmarshal([]byte(r.out), &changes); err != nil || r.code != 0 || changes[0].Result != push.Updated ||
		len(changes) != 9 {
		t.Errorf("push --json: %v %+v", err, r)
	}
	if password := grafana.Password("hooktape-clickhouse"); password != "an0ther" {
		t.Errorf("Grafana has the password %q, want the environment's", password)
	}
}

func TestDashboardsPushRefused(t *testing.T) {
	grafana := grafanatest.New(t)
	t.Setenv("GRAFANA_URL", grafana.URL)
	t.Setenv("GRAFANA_TOKEN", grafanatest.AdminToken)
	if r := runInProcess(t, t.TempDir(), "dashboards", "push", "--no-datasource"); r.code != 0 ||
		strings.Contains(r.out, "data source") {
		t.Fatalf("first push: %+v", r)
	}
	grafana.Foreign("hooktape-pipeline")
	r := runInProcess(t, t.TempDir(), "dashboards", "push", "--no-datasource")
	if r.code != 1 || r.err != "hooktape: 1 of 8 were left as they are; the notes say why\n" ||
		!strings.Contains(r.out,
			`refused    dashboard  Pipeline                hooktape-pipeline       the dashboard with this uid lacks the tag "hooktape"`) {
		t.Errorf("second push: %+v", r)
	}
	grafana.Version = "9.3.0"
	if r := runInProcess(t, t.TempDir(), "dashboards", "push", "--no-datasource"); r.code != 1 || r.out != "" ||
		!strings.HasPrefix(r.err, "hooktape: Grafana 9.3.0 is too old") {
		t.Errorf("push to an old Grafana: %+v", r)
	}
}
