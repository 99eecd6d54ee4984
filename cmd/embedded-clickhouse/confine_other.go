//go:build !linux

package main

import "os"

// becomeConfined does nothing: Landlock is Linux's.
func becomeConfined(reach, []*os.File, []string) (lacks string, err error) {
	return "Landlock, which only Linux has", nil
}

// forbidCalls does nothing: seccomp is Linux's.
func forbidCalls() error { return nil }
