package main

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestChaos is a short run of the chaos tests.
func TestChaos(t *testing.T) {
	if err := run(t.Context(), []string{"-short"}, t.Output()); err != nil {
		t.Fatal(err)
	}
}
