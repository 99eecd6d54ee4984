package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// AddSource adds a source behind the last one in a configuration file and changes nothing else in it, such as comments.
// If the result would not be a valid configuration, it returns an error and leaves the file as it is.
func AddSource(path string, s Source) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err = withSource(text, s)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := Parse(path, text); err != nil {
		return err
	}
	return ReplaceFile(path, text, 0o600)
}

// withSource returns the text of a configuration file with one more source.
func withSource(text []byte, s Source) ([]byte, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, errors.New("is not YAML")
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	list := sourceList(file)
	switch {
	case list == nil:
		entry := "\nsources:\n" + sourceEntry(s, "  ")
		return append(bytes.TrimRight(text, "\n"), ("\n" + entry)...), nil
	case list.IsFlowStyle || len(list.Values) == 0:
		return nil, errors.New("the sources are written as [ … ]; write them as lines with - to add to them")
	}
	last := lastLine(list.Values[len(list.Values)-1])
	indent := strings.Repeat(" ", list.Start.Position.Column-1)
	if !bytes.HasSuffix(lines[last-1], []byte("\n")) {
		lines[last-1] = append(lines[last-1], '\n')
	}
	return bytes.Join(slices.Insert(lines, last, []byte(sourceEntry(s, indent))), nil), nil
}

func sourceEntry(s Source, indent string) string {
	entry := fmt.Sprintf("%s- name: %s\n%s  token: %s\n", indent, s.Name, indent, s.Token)
	if s.Kind != "" {
		entry += fmt.Sprintf("%s  kind: %s\n", indent, s.Kind)
	}
	if s.SigningToken != "" {
		entry += fmt.Sprintf("%s  signing_token: %s\n", indent, strconv.Quote(s.SigningToken))
	}
	return entry
}

// sourceList returns the value of the key sources; nil if there is no such key.
func sourceList(file *ast.File) (list *ast.SequenceNode) {
	if len(file.Docs) == 0 {
		return nil
	}
	var top []*ast.MappingValueNode
	switch body := file.Docs[0].Body.(type) {
	case *ast.MappingNode:
		top = body.Values
	case *ast.MappingValueNode:
		top = []*ast.MappingValueNode{body}
	}
	for _, pair := range top {
		if pair.Key.String() == "sources" {
			list, _ = pair.Value.(*ast.SequenceNode)
		}
	}
	return list
}

// lastLine returns the number of the last line that has a token of a node.
func lastLine(node ast.Node) (line int) {
	ast.Walk(visitor(func(n ast.Node) { line = max(line, n.GetToken().Position.Line) }), node)
	return line
}

// visitor is called with each node.
type visitor func(ast.Node)

// Visit implements ast.Visitor.
func (v visitor) Visit(n ast.Node) ast.Visitor {
	if n != nil {
		v(n)
	}
	return v
}
