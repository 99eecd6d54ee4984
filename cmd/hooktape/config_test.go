package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigCheck verifies that config check prints every key with its current value and no secret, and exits with 1
// for an invalid configuration.
func TestConfigCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hooktape.yaml")
	check := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"--config", path, "--ops-addr", "127.0.0.1:9999", "config", "check"},
			args...), &out, &errs)
		if strings.Contains(out.String()+errs.String(), "s3cret") {
			t.Errorf("a secret is shown:\n%s%s", &out, &errs)
		}
		return code, out.String(), errs.String()
	}
	writeFile(t, path, `clickhouse: {dsn: "clickhouse://user:s3cret-pass@db:9000/hooktape?password=s3cret"}
embedded: {password: s3cret-embedded}
api: {tokens: [{name: admin, token: s3cret-0123456789}]}
sources:
  - {name: demo, token: s3cret-0123456789, old_token: s3cret-01234567890, signing_token: s3cret, old_signing_token: s3cret}
spool: {max_bytes: 3072MiB}
drain: {age: 90s}
endpoints:
  - name: crm
    url: https://crm.example.org/hooks?key=s3cret
    subscribe: {sources: [demo]}
    headers: [{name: X-Key, value: s3cret}]
    sign: {secrets: [{value: whsec_czNjcmV0LXMzY3JldC1zM2NyZXQtczNjcmV0}]}
`)
	code, out, errs := check()
	if code != 0 || !strings.Contains(errs, path+" is valid") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, line := range []string{"ops_addr: 127.0.0.1:9999", "max_bytes: 3GiB", "age: 1m30s", "token: \"***\"",
		"dsn: clickhouse://user:***@db:9000/hooktape?password=***", "url: https://crm.example.org/hooks?key=***",
		"events: forever"} {
		if !strings.Contains(out, line) {
			t.Errorf("%q is not in\n%s", line, out)
		}
	}
	if strings.Contains(out, "whsec") {
		t.Errorf("a signing secret is shown:\n%s", out)
	}
	var result checkedConfig
	code, out, _ = check("--json")
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 0 || !result.OK || result.File != path ||
		!bytes.Contains(result.Config, []byte(`"3GiB"`)) {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}

	writeFile(t, path, "public_url: \" https://hooks.example.org/\u200b \"\n")
	if code, out, errs := check(); code != 0 || !strings.HasPrefix(out, "public_url: https://hooks.example.org/\n") {
		t.Errorf("a URL with copied white space: exit code %d\n%s%s", code, out, errs)
	}
	writeFile(t, path, "# nothing\n")
	if code, out, errs := check(); code != 1 || out != "" || !strings.Contains(errs, path+" is empty: ") {
		t.Errorf("an empty file: exit code %d\n%s%s", code, out, errs)
	}
	writeFile(t, path, "sources: [{name: demo, token: s3cret}]\npublic_url: x\n")
	if code, out, errs := check(); code != 1 || out != "" ||
		!strings.Contains(errs, path+":1: sources[0].token: must have at least 16") ||
		!strings.Contains(errs, path+":2: public_url: ") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	result = checkedConfig{}
	code, out, _ = check("--json")
	if err := json.Unmarshal([]byte(out), &result); err != nil || code != 1 || result.OK || len(result.Errors) != 2 {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
}
