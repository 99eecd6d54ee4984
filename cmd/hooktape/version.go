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

// version is the release, set by the linker.
var version string

// buildVersion returns the release or, without one, the commit of the build.
func buildVersion() string {
	if version != "" {
		return version
	}
	if hash := buildCommit(); hash != "" {
		return hash[:min(12, len(hash))]
	}
	return "dev"
}

// buildCommit returns the commit of the build; empty if it was built without git.
func buildCommit() string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// versionText returns the output of --version: lines of a name and a value.
func versionText() string {
	return fmt.Sprintf("version  %s\ncommit   %s\ngo       %s %s/%s\nengine   %s", buildVersion(), cmp.Or(buildCommit(),
		"unknown"), runtime.Version(), runtime.GOOS, runtime.GOARCH, embedded.EngineVersion)
}
