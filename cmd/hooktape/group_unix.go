//go:build unix

package main

import "syscall"

// ownGroup starts a child in a process group of its own.
var ownGroup = &syscall.SysProcAttr{Setpgid: true}
