//go:build race

package rig

const (
	raceSuffix  = "-race"
	hooktapeEnv = "CGO_ENABLED=1"
)

var hooktapeFlags = []string{"-race"}
