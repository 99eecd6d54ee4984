package main

import (
	"fmt"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// duration is a time.Duration that, written wrongly, is refused with its line: the decoder's own refusal has none.
type duration time.Duration

// UnmarshalYAML reads a duration.
func (d *duration) UnmarshalYAML(node ast.Node) error {
	var text string
	if err := yaml.NodeToValue(node, &text); err == nil {
		if parsed, err := time.ParseDuration(text); err == nil {
			*d = duration(parsed)
			return nil
		}
	}
	return &yaml.SyntaxError{Message: fmt.Sprintf("%q is no duration such as 500ms, 10s or 72h", node.String()), Token: node.GetToken()}
}
