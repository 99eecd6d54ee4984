package main

import (
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// TestForbiddenCallsAreKnown verifies that each processor's table has all forbidden system calls; a missing one would
// prevent the filter from loading.
func TestForbiddenCallsAreKnown(t *testing.T) {
	for _, processor := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		for _, name := range forbidden {
			if _, ok := processor.SyscallNames[name]; !ok {
				t.Errorf("%s has no system call %s", processor.Name, name)
			}
		}
	}
	if !slices.Contains(forbidden, "execve") || !slices.Contains(forbidden, "socket") {
		t.Error("starting programs or opening sockets is not forbidden")
	}
}
