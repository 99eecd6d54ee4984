package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"hooktape/internal/doctor"
)

type doctorCmd struct {
	GrafanaURL       string `name:"grafana-url" env:"GRAFANA_URL" placeholder:"URL" help:"Check this Grafana as well."`
	GrafanaTokenFile string `env:"GRAFANA_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token of a service account of it (default: $GRAFANA_TOKEN)."`
	Deep             bool   `help:"Read everything in ClickHouse as well, and compare its checksums, which takes as long as reading it does."`
	JSON             bool   `name:"json" help:"Print JSON."`
}

// Help implements kong.HelpProvider.
func (doctorCmd) Help() string {
	return `It works whether hooktape runs or not. Run it as the user that hooktape runs as, with the same
configuration and environment. It changes nothing. ✓ is ok, ! a warning, ✗ a problem; warnings and problems say what to
do. The exit code is 0 without a problem, and 2 with one.

Problems are, among others: hooktape does not run, an endpoint fails (its breaker is open), or deliveries wait for an
hour or are more than 10,000. A paused endpoint is a warning, whatever waits for it.`
}

// Run makes all checks and prints what they found.
func (c doctorCmd) Run(e *env) error {
	s := newStatus(e)
	findings := doctor.Run(e.ctx, doctor.Options{
		File:             e.file(),
		GrafanaURL:       c.GrafanaURL,
		GrafanaTokenFile: c.GrafanaTokenFile,
		Deep:             c.Deep,
		Progress: func(table string, done, total uint64) {
			s.show(func() string { return progressBar(done, total) + "  " + table })
		},
	})
	s.clear()
	healthy := !slices.ContainsFunc(findings, func(f doctor.Finding) bool { return f.Result == doctor.Problem })
	if c.JSON {
		if err := printJSON(e.stdout, map[string]any{"ok": healthy, "checks": findings}); err != nil {
			return err
		}
	} else {
		printFindings(e.stdout, findings)
	}
	if !healthy {
		return exitFailed
	}
	return nil
}

var marks = map[doctor.Result]string{doctor.OK: "✓", doctor.Warning: "!", doctor.Problem: "✗"}

func printFindings(w io.Writer, findings []doctor.Finding) {
	width := 0
	for _, f := range findings {
		width = max(width, utf8.RuneCountInString(f.Check))
	}
	for _, f := range findings {
		fmt.Fprintf(w, "%s %-*s  %s\n", marks[f.Result], width, safe(f.Check), safe(f.Says))
		if f.Do != "" {
			fmt.Fprintf(w, "%s  → %s\n", strings.Repeat(" ", width+2), safe(f.Do))
		}
	}
}
