//go:build !linux

package libchdb

// adapt does nothing here: see the one for Linux.
func adapt(string, uintptr) error { return nil }
