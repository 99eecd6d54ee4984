package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hooktape/cmd/embedded-clickhouse/embedded"
	"hooktape/internal/config"
	"hooktape/internal/testutil"
)

// TestReloadOfTheSame verifies that a reload that changes only sources and endpoints asks for no restart, although the
// program completed its configuration at the start.
func TestReloadOfTheSame(t *testing.T) {
	t.Setenv("HOOKTAPE_EMBEDDED_PASSWORD", "")
	dir := t.TempDir()
	path := filepath.Join(dir, "hooktape.yaml")
	for _, file := range []string{embedded.WriterPasswordFile, embedded.ReaderPasswordFile} {
		writeFile(t, filepath.Join(dir, file), "a-password-of-the-engine")
	}
	text := "sources: [{name: demo, token: a-token-of-demo-01}]\n"
	writeFile(t, path, text)
	for added, restart := range map[string]bool{"": false,
		"endpoints: [{name: crm, url: \"https://crm.example.org/\"}]\n": false,
		"public_url: https://hooks.example.org\n":                       true} {
		var log testutil.Log
		p := &process{Options: Options{File: config.File{Path: path, Data: config.DataDir(dir)},
			Logger: slog.New(slog.NewTextHandler(&log, nil))}}
		writeFile(t, path, text)
		var err error
		if p.cfg, p.read, err = p.File.Load(); err != nil || p.cfg.Embedded.Password == "" {
			t.Fatalf("%v, password %q", err, p.cfg.Embedded.Password)
		}
		writeFile(t, path, text+added)
		testutil.Eventually(t, p.reload) // waits until the writer has finished
		if said := strings.Contains(log.String(), "take effect at the next start"); said != restart {
			t.Errorf("with %q added, got the log\n%s", added, log.String())
		}
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
