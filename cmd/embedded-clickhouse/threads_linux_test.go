package main_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"hooktape/internal/testutil/enginetest"
)

// TestNoForbiddenFileIsOpened verifies that the threads of statements do not try to open the kernel's statistics of
// threads, which a confined process cannot open: each attempt is an exception, which is slow.
func TestNoForbiddenFileIsOpened(t *testing.T) {
	if _, err := os.Stat("/proc/thread-self/schedstat"); err != nil {
		t.Skipf("NOT TESTED: whether statements open the statistics of threads, because this kernel has none: %v", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 {
		t.Skipf("NOT TESTED: whether statements open the statistics of threads, because this kernel has no Landlock to "+
			"forbid it: %v", errno)
	}
	conn := enginetest.Connect(t, enginetest.Start(t).DSN("default"))
	for range 3 {
		var failures []string
		if err := conn.QueryRow(t.Context(), "SELECT groupArray(last_error_message) FROM system.errors "+
			"WHERE name = 'CANNOT_OPEN_FILE' AND last_error_message LIKE '%schedstat%'").Scan(&failures); err != nil ||
			len(failures) > 0 {
			t.Fatalf("%q, %v", failures, err)
		}
	}
}
