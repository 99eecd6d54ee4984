package fetch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"hooktape/cmd/embedded-clickhouse/embedded"
)

// Version is the engine's pinned version.
const Version = embedded.EngineVersion

// build is the engine for one system.
type build struct {
	npm string
	// integrity is the tarball's checksum as npm writes it. Without one, npm's own check against its registry must do.
	integrity string
	// packed is the tarball's size and library that of libchdb.so; 0 is unknown.
	packed, library int64
}

var builds = map[string]build{
	"linux-amd64": {
		npm:       "@chdb/lib-linux-x64-gnu",
		integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
		packed:    177_817_999,
		library:   566_330_096,
	},
	// The checksums of these are not known.
	"linux-arm64":  {npm: "@chdb/lib-linux-arm64-gnu"},
	"darwin-amd64": {npm: "@chdb/lib-darwin-x64"},
	"darwin-arm64": {npm: "@chdb/lib-darwin-arm64"},
}

// currentBuild returns the build for this machine.
func currentBuild() (build, error) {
	system := runtime.GOOS + "-" + runtime.GOARCH
	b, ok := builds[system]
	if !ok {
		return build{}, fmt.Errorf("there is no engine for %s: use a ClickHouse server and its DSN instead", system)
	}
	if musl, _ := filepath.Glob("/lib/ld-musl-*"); runtime.GOOS == "linux" && len(musl) > 0 && !hasGlibc() {
		return build{}, errors.New("there is no engine for Linux with musl: use a ClickHouse server and its DSN")
	}
	return b, nil
}

func hasGlibc() bool {
	for _, pattern := range []string{"/lib64/ld-linux-*", "/lib/ld-linux-*"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return true
		}
	}
	return false
}

// LibraryPath returns the path of the engine in the cache.
func LibraryPath() (string, error) {
	if _, err := currentBuild(); err != nil {
		return "", err
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if !filepath.IsAbs(cache) {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for the engine: %w", err)
		}
		cache = filepath.Join(home, ".cache")
	}
	dir := fmt.Sprintf("chdb-%s-%s-%s", Version, runtime.GOOS, runtime.GOARCH)
	return filepath.Join(cache, "hooktape", dir, "libchdb.so"), nil
}
