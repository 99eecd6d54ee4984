package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// size is a number of bytes, written as 1048576, 64KiB, 8MiB or 10GiB.
type size int64

var units = []struct {
	suffix string
	factor int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"B", 1}, {"", 1}}

// UnmarshalYAML reads a size. What is none is refused with its line.
func (s *size) UnmarshalYAML(node ast.Node) error {
	var text string
	if yaml.NodeToValue(node, &text) == nil && s.parse(text) {
		return nil
	}
	return &yaml.SyntaxError{Message: fmt.Sprintf("%q is no size such as 512KiB, 8MiB or 10GiB", node.String()), Token: node.GetToken()}
}

func (s *size) parse(text string) bool {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.factor {
			return false
		}
		*s = size(n * u.factor)
		return true
	}
	return false
}
