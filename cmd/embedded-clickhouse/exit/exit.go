// Package exit says what the exit status of embedded-clickhouse means, for the program and for the one that starts it.
package exit

import "syscall"

// WriteFailed plus the error number is the exit status of an engine that could not write to a file.
const WriteFailed = 100

// WriteError returns why the engine could not write, if status says that this ended it.
func WriteError(status int) (why error, ok bool) {
	if status <= WriteFailed {
		return nil, false
	}
	return syscall.Errno(status - WriteFailed), true
}
