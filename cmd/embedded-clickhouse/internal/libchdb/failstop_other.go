//go:build !linux

package libchdb

// stopOnFailedWrites does nothing here: see the one for Linux.
func stopOnFailedWrites(string, uintptr) error { return nil }

// hideThreadStatistics does nothing here: see the one for Linux.
func hideThreadStatistics(string, uintptr) error { return nil }

const anchorSymbol = "chdb_connect"
