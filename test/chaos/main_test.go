package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
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

// TestShortRun verifies that a short run has faults of each group, that the tests which prove the others exist, and that
// a run without faults is an error.
func TestShortRun(t *testing.T) {
	for i, g := range groups {
		injected := 0
		for _, f := range g.faults {
			if f.tested == nil {
				injected++
			}
			for _, test := range f.tested {
				if dir, name := path.Split(test); !hasTest(t, filepath.Join("../..", dir), name) {
					t.Errorf("%s: %s has no %s", f.name, dir, name)
				}
			}
		}
		if injected < 3 {
			t.Errorf("a short run has %d faults of group %d, want at least 3", injected, i)
		}
	}
	err := run(t.Context(), []string{"-short", "-only", "no such fault"}, t.Output())
	if err == nil || !strings.Contains(err.Error(), `no fault has a name with "no such fault"`) {
		t.Errorf("a run without faults: %v", err)
	}
}

// hasTest reports whether a folder has a test.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil || name == "" {
		t.Fatalf("%s: %q, %v", dir, name, err)
	}
	declared := regexp.MustCompile(`(?m)^func ` + name + `\(t \*testing\.T\)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if declared.Match(text) {
			return true
		}
	}
	return false
}
