package testutil

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build builds a program of this module, with the race detector or without, and returns its path. That is always the
// same one, in the user's cache, so that go build finds earlier results and no files accumulate.
func Build(ctx context.Context, name string, race bool) (path string, err error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir, args, cgo := "test", []string{"build"}, "CGO_ENABLED=0"
	if race {
		dir, args, cgo = "test-race", []string{"build", "-race"}, "CGO_ENABLED=1"
	}
	path = filepath.Join(cache, "hooktape", dir, name)
	build := exec.CommandContext(ctx, "go", append(args, "-o", path, "hooktape/cmd/"+name)...)
	build.Env = append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return path, nil
}

// BuildEngine returns the path of embedded-clickhouse: the built one that HOOKTAPE_EMBEDDED_BIN names, or a new one.
func BuildEngine(ctx context.Context) (path string, err error) {
	if path := os.Getenv("HOOKTAPE_EMBEDDED_BIN"); path != "" {
		return filepath.Abs(path)
	}
	return Build(ctx, "embedded-clickhouse", false)
}
