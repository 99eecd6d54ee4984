package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"hooktape/store"
)

// days is a number of days, written as 90d, or forever.
type days store.Days

// UnmarshalYAML reads days. What is none is refused with its line.
func (d *days) UnmarshalYAML(node ast.Node) error {
	var text string
	if yaml.NodeToValue(node, &text) == nil && d.parse(text) {
		return nil
	}
	return &yaml.SyntaxError{Message: fmt.Sprintf("%q is no number of days from 1d to %dd, nor forever", node.String(), store.MaxDays), Token: node.GetToken()}
}

func (d *days) parse(text string) bool {
	if text == "forever" {
		*d = days(store.Forever)
		return true
	}
	digits, ok := strings.CutSuffix(text, "d")
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n < 1 || n > uint64(store.MaxDays) {
		return false
	}
	*d = days(n)
	return true
}
