//go:build !race

package harness

const (
	raceSuffix  = ""
	hooktapeEnv = "CGO_ENABLED=0"
)

var hooktapeFlags []string
