package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"hooktape/cmd/embedded-clickhouse/embedded"
)

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(e *env) error {
	_, err := fmt.Fprintln(e.stdout, versionText())
	return err
}

// version is set by the linker for a release.
var version string

// buildVersion is the release, or else the commit that the binary was built from.
func buildVersion() string {
	if version != "" {
		return version
	}
	if hash := buildCommit(); hash != "" {
		return hash[:min(12, len(hash))]
	}
	return "dev"
}

// buildCommit is what Go has noted of the source; nothing when it was built without git.
func buildCommit() string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// versionText is what --version prints: a line each, its name first.
func versionText() string {
	return fmt.Sprintf("version  %s\ncommit   %s\ngo       %s %s/%s\nengine   %s", buildVersion(), cmp.Or(buildCommit(), "unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH, embedded.EngineVersion)
}
