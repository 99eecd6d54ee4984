package main

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTorture is the short torture.
func TestTorture(t *testing.T) {
	if err := run(t.Context(), []string{"-short"}, t.Output()); err != nil {
		t.Fatal(err)
	}
}
