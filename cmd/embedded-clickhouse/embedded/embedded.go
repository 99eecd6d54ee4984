// Package embedded has what embedded-clickhouse shares with the programs that start it and connect to it: the engine's
// version, its exit status, and its users' passwords.
package embedded

import "syscall"

// EngineVersion is the version of libchdb, by the npm packages @chdb/lib-*.
const EngineVersion = "26.7.3-stable.1"

// WriteFailed plus the error number is the exit status of an engine that could not write to a file.
const WriteFailed = 100

// WriteError returns why the engine could not write, and whether its exit status reports that.
func WriteError(status int) (why error, ok bool) {
	if status <= WriteFailed {
		return nil, false
	}
	return syscall.Errno(status - WriteFailed), true
}
