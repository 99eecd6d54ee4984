package main

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"

	"hooktape/internal/config"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check the configuration, and print it as it is in force."`
}

type configCheckCmd struct {
	JSON bool `name:"json" help:"Print JSON: ok, errors and config."`
}

// Help implements kong.HelpProvider.
func (configCheckCmd) Help() string {
	return `Reads the configuration as "hooktape serve" would, with the flags and the environment, and connects to
nothing. It prints the configuration in force, including defaults, with *** for each secret. The exit code is 0 if the
configuration is valid, and 1 if not: each error has its file, line and key.`
}

// checkedConfig is the result of a check.
type checkedConfig struct {
	File   string          `json:"file"`
	OK     bool            `json:"ok"`
	Errors []string        `json:"errors"`
	Config json.RawMessage `json:"config,omitempty"`
}

// Run checks the configuration.
func (c configCheckCmd) Run(e *env) error {
	path := e.file().Path
	cfg, err := e.config()
	if err == nil {
		err = cfg.NotEmpty(path)
	}
	result := checkedConfig{File: path, OK: err == nil, Errors: []string{}}
	if err != nil {
		if !c.JSON {
			return err
		}
		for _, err := range config.Errors(err) {
			result.Errors = append(result.Errors, err.Error())
		}
		if err := printJSON(e.stdout, result); err != nil {
			return err
		}
		return exitCode(1)
	}
	text, err := cfg.YAML()
	if err != nil {
		return err
	}
	if c.JSON {
		if result.Config, err = yaml.YAMLToJSON(text); err != nil {
			return err
		}
		return printJSON(e.stdout, result)
	}
	fmt.Fprintf(e.stderr, "%s is valid; in force is:\n", safe(result.File))
	_, err = fmt.Fprint(e.stdout, safeText(string(text)))
	return err
}
