package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// addSource puts a source behind the last one in a configuration file's text and changes nothing else in it: people
// write comments there.
func addSource(text []byte, s sourceConfig) ([]byte, error) {
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

func sourceEntry(s sourceConfig, indent string) string {
	entry := fmt.Sprintf("%s- name: %s\n%s  token: %s\n", indent, s.Name, indent, s.Token)
	if s.Kind != "" {
		entry += fmt.Sprintf("%s  kind: %s\n", indent, s.Kind)
	}
	if s.SigningToken != "" {
		entry += fmt.Sprintf("%s  signing_token: %s\n", indent, strconv.Quote(s.SigningToken))
	}
	return entry
}

// sourceList is the value of the key sources; nil when there is no such key.
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

// lastLine is the number of the last line that a node has a token on.
func lastLine(node ast.Node) (line int) {
	ast.Walk(visit(func(n ast.Node) { line = max(line, n.GetToken().Position.Line) }), node)
	return line
}

type visit func(ast.Node)

func (v visit) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}
