package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// builder is the OpenTelemetry Collector Builder in the version of the components.
const builder = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"

//go:embed builder.yaml
var manifest []byte

// build builds the collector of the manifest once, in the user's cache. It is a separate module there, so its three
// hundred dependencies do not become hooktape's.
func build(ctx context.Context) (program string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	recipe := sha256.Sum256(append([]byte(builder), manifest...))
	dir := filepath.Join(cache, "hooktape", fmt.Sprintf("collector-%x", recipe[:6]))
	program = filepath.Join(dir, "otelcol", "otelcol")
	done := filepath.Join(dir, "done")
	if _, err := os.Stat(done); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "builder.yaml"), manifest, 0o600); err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, "go", "run", builder, "--config", "builder.yaml")
	command.Dir, command.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the collector: %w\n%s", err, out)
	}
	return program, os.WriteFile(done, nil, 0o600)
}
