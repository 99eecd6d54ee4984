//go:build !race

package rig

const (
	raceSuffix  = ""
	hooktapeEnv = "CGO_ENABLED=0"
)

var hooktapeFlags []string
