package main

import (
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

// TestForbiddenCallsAreKnown: one name that a processor's table lacks, and its filter could not be loaded.
func TestForbiddenCallsAreKnown(t *testing.T) {
	for _, processor := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		for _, name := range forbidden {
			if _, ok := processor.SyscallNames[name]; !ok {
				t.Errorf("%s has no system call %s", processor.Name, name)
			}
		}
	}
	if !slices.Contains(forbidden, "execve") || !slices.Contains(forbidden, "socket") {
		t.Error("programs or sockets are not forbidden")
	}
}
