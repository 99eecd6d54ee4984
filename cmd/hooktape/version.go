package main

import "runtime/debug"

// version is set by the linker for a release.
var version string

// buildVersion is the release, or else the commit that the binary was built from.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "dev"
}
