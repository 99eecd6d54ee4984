package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const configDoc = "../../docs/CONFIGURATION.md"

// TestConfigurationDocument verifies that docs/CONFIGURATION.md has the texts of the example and of the command line.
// TestExampleHasEveryKey compares the example's keys and defaults with the program.
//
// go test ./cmd/hooktape -run ConfigurationDocument -update    updates it
func TestConfigurationDocument(t *testing.T) {
	want := configurationDocument(t)
	if *update {
		if err := os.WriteFile(configDoc, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(configDoc); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date (%v); go test ./cmd/hooktape -run ConfigurationDocument -update", configDoc, err)
	}
}

func configurationDocument(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	out.WriteString("# Configuration\n\nMade of [hooktape.example.yaml](../hooktape.example.yaml) and the flags of " +
		"the program; change it there.\n\n")
	text, err := os.ReadFile("../../hooktape.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseBytes(text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	intro, _, _ := strings.Cut(string(text), "\n\n")
	for line := range strings.Lines(intro) {
		out.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "#"), " "))
	}
	out.WriteString("\n\n## The file\n\nA value is the default; within lists (`sources[]` and the like) it is an " +
		"example.\n\n| key | value | what it is |\n|---|---|---|\n")
	k := keys{out: &out, intro: plainComment(intro), told: map[string]bool{}}
	k.of(file.Docs[0].Body, "")
	out.WriteString("\n## Flags and environment\n\nFor every command. A flag wins over the environment, which wins " +
		"over the file.\n\n| flag | environment | what it is |\n|---|---|---|\n")
	flags(t, &out)
	out.WriteString("\nOpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT` and the rest of " +
		"`OTEL_EXPORTER_OTLP_…`, `OTEL_SERVICE_NAME`,\n" +
		"`OTEL_RESOURCE_ATTRIBUTES`) mean what its specification says.\n")
	return out.Bytes()
}

// keys writes a row for each key of the file, described by the comment above or behind it.
type keys struct {
	out   *bytes.Buffer
	intro string          // comment above the first key about the whole file
	told  map[string]bool // keys already listed: entries of a list have the same ones
}

func (k keys) of(node ast.Node, prefix string) {
	switch n := node.(type) {
	case *ast.MappingNode:
		for _, value := range n.Values {
			k.of(value, prefix)
		}
	case *ast.SequenceNode:
		for _, value := range n.Values {
			k.of(value, prefix)
		}
	case *ast.MappingValueNode:
		key := prefix + n.Key.GetToken().Value
		k.row(key, n)
		if _, list := n.Value.(*ast.SequenceNode); list {
			key += "[]"
		}
		k.of(n.Value, key+".")
	}
}

func (k keys) row(key string, n *ast.MappingValueNode) {
	var said []string
	for _, comment := range []*ast.CommentGroupNode{n.GetComment(), n.Key.GetComment(), n.Value.GetComment()} {
		if comment != nil {
			said = append(said, strings.TrimSpace(strings.TrimPrefix(plainComment(comment.String()), k.intro)))
		}
	}
	text, value := strings.Join(said, " "), ""
	switch inner := n.Value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
	case *ast.SequenceNode:
		if !holdsMappings(inner) {
			value = "`" + oneLine(inner) + "`"
		}
	default:
		value = "`" + oneLine(inner) + "`"
	}
	if text != "" || value != "" && !k.told[key] {
		fmt.Fprintf(k.out, "| `%s` | %s | %s |\n", key, value,
			strings.NewReplacer("|", "\\|", "<", "&lt;").Replace(text))
	}
	k.told[key] = true
}

func holdsMappings(list *ast.SequenceNode) bool {
	for _, value := range list.Values {
		switch value.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			return true
		}
	}
	return false
}

// oneLine returns a value without its comment.
func oneLine(node ast.Node) string {
	text, _, _ := strings.Cut(node.String(), " #")
	return strings.Join(strings.Fields(text), " ")
}

// plainComment returns the text of a comment.
func plainComment(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#")))
	}
	return strings.TrimSpace(strings.ReplaceAll(strings.Join(lines, " "), "  ", " "))
}

func flags(t *testing.T, out *bytes.Buffer) {
	t.Helper()
	parser, err := kong.New(newCLI(), kong.Vars{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range parser.Model.Flags {
		if f.Name != "help" {
			env := ""
			if len(f.Envs) > 0 {
				env = "`" + f.Envs[0] + "`"
			}
			fmt.Fprintf(out, "| `--%s` | %s | %s |\n", f.Name, env, f.Help)
		}
	}
}
