package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "update generated files")

const metricsDocument = "../../docs/METRICS.md"

// assertDocument verifies that docs/METRICS.md lists exactly the metrics of a scrape, with their help texts.
func assertDocument(t *testing.T, page string) {
	text, err := os.ReadFile(metricsDocument)
	if err != nil {
		t.Fatal(err)
	}
	before, listed, found := strings.Cut(string(text), "\n| metric ")
	if !found {
		t.Fatal("no table in the document")
	}
	want := metricsTable(page)
	for _, match := range alert.FindAllStringSubmatch(before, -1) {
		if !strings.Contains(want, "| `"+match[1]+"` |") {
			t.Errorf("%s alerts on %s, which is not a metric", metricsDocument, match[1])
		}
	}
	if *update {
		if err := os.WriteFile(metricsDocument, []byte(before+"\n"+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if listed = "| metric " + listed; listed != want {
		t.Errorf("%s is out of date; `go test ./cmd/hooktape -run TestTelemetry -update` updates it\n%s",
			metricsDocument, difference(listed, want))
	}
}

// difference returns the lines that only one of two texts has.
func difference(old, now string) string {
	var out strings.Builder
	before := slices.Collect(strings.Lines(old))
	after := slices.Collect(strings.Lines(now))
	for _, line := range before {
		if !slices.Contains(after, line) {
			out.WriteString("- " + line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			out.WriteString("+ " + line)
		}
	}
	return out.String()
}

// family is a metric of a scrape.
type family struct {
	kind, help string
	labels     map[string]bool
}

// alert matches a metric in an alert's expression.
var alert = regexp.MustCompile("\\| `(?:increase\\()?(hooktape_[a-z_]+)[^`]")

var label = regexp.MustCompile(`([a-z_]+)="`)

// metricsTable returns a table of the metrics of a scrape.
func metricsTable(page string) string {
	families := map[string]*family{}
	last := ""
	for line := range strings.Lines(page) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch {
		case words[0] == "#" && words[1] == "EOF":
		case words[0] == "#":
			last = words[2]
			if families[last] == nil {
				families[last] = &family{labels: map[string]bool{}}
			}
			if words[1] == "TYPE" {
				families[last].kind = words[3]
			} else if words[1] == "HELP" {
				families[last].help = words[3]
			}
		default:
			set, _, _ := strings.Cut(line, "} ")
			for _, match := range label.FindAllStringSubmatch(set, -1) {
				if name := match[1]; !strings.HasPrefix(name, "otel_scope_") && name != "le" {
					families[last].labels[name] = true
				}
			}
		}
	}
	var out strings.Builder
	out.WriteString("| metric | type | labels | what it tells |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(families)) {
		f, shown := families[name], name
		if f.kind == "counter" {
			shown += "_total"
		}
		labels := slices.Sorted(maps.Keys(f.labels))
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", shown, f.kind, strings.Join(labels, ", "), f.help)
	}
	return out.String()
}
