package main_test

import (
	"testing"

	"hooktape/internal/testutil/enginetest"
)

// TestNoForbiddenFileIsOpened verifies that the threads of statements try to open no file that a confined process cannot
// open: each attempt is an exception, which is slow.
func TestNoForbiddenFileIsOpened(t *testing.T) {
	conn := enginetest.Connect(t, enginetest.Start(t).DSN("default"))
	var failures []string
	if err := conn.QueryRow(t.Context(), "SELECT groupArray(last_error_message) FROM system.errors "+
		"WHERE name = 'CANNOT_OPEN_FILE'").Scan(&failures); err != nil || len(failures) > 0 {
		t.Errorf("%q, %v", failures, err)
	}
}
