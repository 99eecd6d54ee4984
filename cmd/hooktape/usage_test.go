package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestUsageErrors: an error of the arguments names the help of the command, not of the whole program.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"events accept":               "see hooktape events accept --help",
		"endpoints resume":            "see hooktape endpoints resume --help",
		"replay create --no-such=1":   "see hooktape replay create --help",
		"delivery":                    "see hooktape --help",
		"replay status 01a22c9b more": "see hooktape replay status --help",
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), &out, &out); code != 1 ||
			!strings.HasSuffix(strings.TrimSpace(out.String()), want) {
			t.Errorf("hooktape %s: exit code %d, %s; want %q at the end", args, code, &out, want)
		}
	}
}
