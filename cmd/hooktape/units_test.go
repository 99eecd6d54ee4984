package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

// installed is the path of the program in the units.
const installed = "/usr/local/bin/hooktape"

// TestUnits verifies that the units' commands and variables are known to the program, and that none depends on the unit
// of another half. Where systemd is installed, systemd-analyze must find no error and little exposure.
func TestUnits(t *testing.T) {
	files, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(files) != 3 {
		t.Fatalf("units: %v, %v", files, err)
	}
	var help bytes.Buffer
	run(t.Context(), []string{"--help"}, &help, &help)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			options, err := unit.DeserializeOptions(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			values := map[string]string{}
			for _, o := range options {
				values[o.Name] += o.Value + " "
			}
			args, ours := strings.CutPrefix(values["ExecStart"], installed+" ")
			if !ours {
				t.Fatalf("ExecStart is %q", values["ExecStart"])
			}
			var out bytes.Buffer
			if code := run(t.Context(), append(strings.Fields(args), "--help"), &out, &out); code != 0 ||
				!strings.Contains(out.String(), "Usage: hooktape "+strings.TrimSpace(args)) {
				t.Errorf("hooktape %s --help: exit code %d\n%s", args, code, &out)
			}
			for _, pair := range strings.Fields(values["Environment"]) {
				if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "HOOKTAPE_") &&
					!strings.Contains(help.String(), "$"+name) {
					t.Errorf("the program does not know %s", name)
				}
			}
			if self := "/run/credentials/" + filepath.Base(file) + "/"; !strings.Contains(string(text), self) {
				t.Errorf("credentials of units other than %s", self)
			}
			verify(t, string(text), filepath.Base(file))
		})
	}
}

// verify runs systemd-analyze.
func verify(t *testing.T, text, name string) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("systemd-analyze is not installed: unit not verified")
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	writeFile(t, path, strings.ReplaceAll(text, installed, self)) // a program that exists
	if out, err := exec.Command(analyze, "verify", "--man=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20",
		path).CombinedOutput(); err != nil {
		t.Errorf("exposure over 2.0 of 10: %v\n%s", err, out)
	}
}
