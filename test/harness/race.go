//go:build race

package harness

// race reports whether this program has the race detector. hooktape gets it too then.
const race = true
