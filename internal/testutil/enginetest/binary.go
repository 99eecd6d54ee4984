package enginetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Binary returns the path of embedded-clickhouse.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// binary is the path of embedded-clickhouse, built at its first use.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("HOOKTAPE_EMBEDDED_BIN"); path != "" {
		return filepath.Abs(path)
	}
	// Always the same path, so that go build finds earlier results and no files accumulate.
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "hooktape", "test", "embedded-clickhouse")
	build := exec.Command("go", "build", "-o", path, "hooktape/cmd/embedded-clickhouse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build embedded-clickhouse: %w\n%s", err, out)
	}
	return path, nil
})
