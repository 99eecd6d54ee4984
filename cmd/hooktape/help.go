package main

import (
	"bytes"
	"errors"
	"strings"

	"github.com/alecthomas/kong"
)

// printHelp is kong's help with the command's own flags first, and the flags of every command last.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if selected := ctx.Selected(); selected != nil {
		common := &kong.Group{Key: "common", Title: "Flags of every command"}
		var own []*kong.Flag
		for _, flag := range ctx.Model.Flags {
			if flag.Name == "help" {
				own = append(own, flag)
				continue
			}
			flag.Group = common
			selected.Flags = append(selected.Flags, flag)
		}
		ctx.Model.Flags = own // the process ends after this
	}
	// kong formats with go/doc, which replaces two apostrophes by a closing quotation mark.
	stdout := ctx.Stdout
	var text bytes.Buffer
	ctx.Stdout = &text
	err := kong.DefaultHelpPrinter(options, ctx)
	ctx.Stdout = stdout
	_, writing := stdout.Write(bytes.ReplaceAll(text.Bytes(), []byte("”"), []byte("''")))
	return errors.Join(err, writing)
}

// helpWithDefault is a flag's help with its default.
func helpWithDefault(value *kong.Value) string {
	if value.HasDefault && value.Default != "" && !strings.Contains(value.Help, "default") {
		shown := *value
		shown.Help = strings.TrimSuffix(value.Help, ".") + " (default: " + value.Default + ")."
		value = &shown
	}
	return kong.DefaultHelpValueFormatter(value)
}

// bareGroup reports whether the arguments name a group without one of its commands. Then the group's help is printed.
func bareGroup(err error) bool {
	parse, ok := errors.AsType[*kong.ParseError](err)
	return ok && strings.HasPrefix(err.Error(), "expected ") && parse.Context.Selected() != nil &&
		len(parse.Context.Selected().Children) > 0
}
