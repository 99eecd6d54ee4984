//go:build race

package harness

const (
	raceSuffix  = "-race"
	hooktapeEnv = "CGO_ENABLED=1"
)

var hooktapeFlags = []string{"-race"}
