package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"hooktape/internal/redact"
	"hooktape/internal/store"
	"hooktape/web/api"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check the configuration, and print what is in force."`
}

type configCheckCmd struct {
	JSON bool `name:"json" help:"Print JSON: ok, errors and config."`
}

// Help implements kong.HelpProvider.
func (configCheckCmd) Help() string {
	return `Reads the configuration as "hooktape serve" would, with the flags and the environment over it, and connects to nothing. It prints
what is in force, defaults included, with *** in place of each secret. The exit code is 0 when the configuration is right, else 1:
each error has its file, line and key.`
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
	cfg, err := e.config()
	if err == nil {
		err = cfg.notEmpty(e.cli.configPath())
	}
	result := checkedConfig{File: e.cli.configPath(), OK: err == nil, Errors: []string{}}
	if err != nil {
		if !c.JSON {
			return err
		}
		for _, err := range unjoin(err) {
			result.Errors = append(result.Errors, err.Error())
		}
		if err := printJSON(e.stdout, result); err != nil {
			return err
		}
		return exitCode(1)
	}
	text, err := yaml.MarshalWithOptions(inForce(reflect.ValueOf(*cfg)), yaml.IndentSequence(true))
	if err != nil {
		return err
	}
	if c.JSON {
		if result.Config, err = yaml.YAMLToJSON(text); err != nil {
			return err
		}
		return printJSON(e.stdout, result)
	}
	fmt.Fprintf(e.stderr, "%s is right; in force is:\n", safe(result.File))
	_, err = fmt.Fprint(e.stdout, safeText(string(text)))
	return err
}

// inForce is a value of the configuration as YAML writes it. Fields with the tag secret are hidden; of "url" that part of a URL
// that may be a secret is.
func inForce(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case int64:
		return sizeText(x)
	case store.Days:
		if x == 0 {
			return nil // a source's own, which is not set
		}
		return strings.ReplaceAll(x.String(), " ", "") // forever
	case fmt.Stringer:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return inForce(v.Elem())
	case reflect.Struct:
		return object(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = inForce(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

// object has what keysOf a struct names.
func object(v reflect.Value) (keys yaml.MapSlice) {
	for field, value := range v.Fields() {
		switch tag := field.Tag.Get("yaml"); tag {
		case "", "-":
		case ",inline":
			keys = append(keys, object(value)...)
		default:
			keys = append(keys, yaml.MapItem{Key: tag, Value: visible(field, value)})
		}
	}
	return keys
}

func visible(field reflect.StructField, v reflect.Value) any {
	switch kind, secret := field.Tag.Lookup("secret"); {
	case !secret || v.IsZero():
		return inForce(v)
	case kind == "url":
		u, err := url.Parse(v.String())
		if err != nil {
			return redact.Mask
		}
		if _, set := u.User.Password(); set {
			u.User = url.UserPassword(u.User.Username(), redact.Mask)
		}
		text, err := url.PathUnescape(api.MaskedURL(u.String()))
		if err != nil {
			return redact.Mask
		}
		return text
	}
	return redact.Mask
}

// sizeText writes a size with the largest unit that it is a whole number of.
func sizeText(n int64) string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if factor := int64(1) << (40 - 10*i); n != 0 && n%factor == 0 {
			return fmt.Sprint(n/factor, unit)
		}
	}
	return fmt.Sprint(n)
}
