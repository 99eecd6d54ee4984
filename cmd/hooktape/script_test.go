package main

import (
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			program, err := exec.LookPath("hooktape")
			e.Setenv("HOOKTAPE", program)
			e.Setenv("GORACE", noSleep)
			return err
		}})
}
