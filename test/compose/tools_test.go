package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"hooktape/internal/testutil/enginetest"
)

// TestSecrets verifies that deploy/secrets.sh gives every secret of .env.example its own random value, makes .env
// readable by its owner only, and does not change an existing .env.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	writeCopy(t, "deploy/secrets.sh", filepath.Join(dir, "deploy/secrets.sh"))
	writeCopy(t, ".env.example", filepath.Join(dir, ".env.example"))
	secrets := func() (string, error) {
		out, err := exec.Command("sh", filepath.Join(dir, "deploy/secrets.sh")).CombinedOutput()
		return string(out), err
	}
	if out, err := secrets(); err != nil {
		t.Fatalf("deploy/secrets.sh: %v\n%s", err, out)
	}
	path := filepath.Join(dir, ".env")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf(".env: %v, %v", info, err)
	}
	written, seen, env := text(t, path), map[string]bool{}, map[string]string{}
	for _, name := range readExample(t).required {
		match := regexp.MustCompile(`(?m)^` + name + `=([0-9a-f]{48})$`).FindStringSubmatch(written)
		if match == nil || seen[match[1]] {
			t.Fatalf("%s has no random value of its own:\n%s", name, written)
		}
		seen[match[1]], env[name] = true, match[1]
	}
	if _, err := load(t, env); err != nil {
		t.Error(err)
	}
	if out, err := secrets(); err == nil || !strings.Contains(out, "exists already") || text(t, path) != written {
		t.Errorf("the second run did not refuse the existing .env: %v, %s", err, out)
	}
}

func writeCopy(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(text(t, from)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTools verifies that the service `tools` can add a source and make a backup when only its two folders are
// writable.
func TestTools(t *testing.T) {
	b, s := image(t), allServices(t).Services["tools"]
	dirs := map[string]string{}
	for _, v := range s.Volumes {
		if v.ReadOnly {
			t.Errorf("%s is read-only", v.Target)
		}
		dirs[v.Target] = t.TempDir()
	}
	config := filepath.Join(dirs["/etc/hooktape"], "hooktape.yaml")
	writeCopy(t, "deploy/hooktape/hooktape.yaml", config)
	env := append(environment(s), "HOOKTAPE_CONFIG="+config, "HOOKTAPE_DATA=/nonexistent", "TMPDIR=/nonexistent",
		"HOOKTAPE_CLICKHOUSE_DSN="+enginetest.DSN(t), "OTEL_EXPORTER_OTLP_ENDPOINT=")
	b.run(t, env, "sources", "add", "shop")
	if said := b.run(t, env, "sources"); !strings.Contains(said, "shop\thttp://") {
		t.Errorf("sources lists %q, want shop", said)
	}
	b.run(t, env, "migrate")
	to := filepath.Join(dirs["/backup"], "monday")
	b.run(t, env, "backup", to)
	if _, err := os.Stat(filepath.Join(to, "manifest.json")); err != nil {
		t.Error(err)
	}
}

// TestBackupUnits verifies that the timer starts the service of its name, and that the service removes old backups only
// after it has made a new one.
func TestBackupUnits(t *testing.T) {
	service := text(t, "deploy/backup/hooktape-backup.service")
	timer := text(t, "deploy/backup/hooktape-backup.timer")
	command := regexp.MustCompile(`(?m)^ExecStart=/bin/sh -c 'exec /usr/local/bin/hooktape (\S+) "\$\(date`).FindStringSubmatch(service)
	if command == nil || !strings.Contains(image(t).run(t, nil, command[1], "--help"), "Usage: hooktape backup") {
		t.Fatalf("the service runs %v", command)
	}
	prune := regexp.MustCompile(`(?m)^ExecStartPost=/usr/bin/find (\S+) `).FindStringSubmatch(service)
	if prune == nil || !strings.Contains(service, "WorkingDirectory="+prune[1]+"\n") {
		t.Errorf("old backups are removed from %v, not from the folder of the new ones", prune)
	}
	if !strings.Contains(timer, "OnCalendar=") || !strings.Contains(timer, "WantedBy=timers.target") {
		t.Errorf("the timer is %s", timer)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: units are not verified")
		return
	}
	dir := t.TempDir()
	service = strings.ReplaceAll(service, "/usr/local/bin/hooktape", image(t).program())
	for name, unit := range map[string]string{"hooktape-backup.service": service, "hooktape-backup.timer": timer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(unit), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := exec.Command(analyze, "verify", "--man=no", filepath.Join(dir, "hooktape-backup.service"),
		filepath.Join(dir, "hooktape-backup.timer"))
	if out, err := verify.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
