package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"

	"hooktape/internal/redact"
	"hooktape/internal/store"
	"hooktape/web/api"
)

// YAML returns the configuration in force as YAML, including defaults. Secrets are masked.
func (c *Config) YAML() ([]byte, error) {
	return yaml.MarshalWithOptions(printable(reflect.ValueOf(*c)), yaml.IndentSequence(true))
}

// printable returns a value as the YAML encoder writes it. It hides fields with the tag secret; if the tag is "url",
// only those parts of the URL that may be secret.
func printable(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case int64:
		return sizeText(x)
	case store.Days:
		if x == 0 {
			return nil // not set for this source
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
		return printable(v.Elem())
	case reflect.Struct:
		return object(v)
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = printable(v.Index(i))
		}
		return list
	}
	return v.Interface()
}

// object returns the keys of a struct that keysOf names.
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
		return printable(v)
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

// sizeText writes a size with the largest unit that divides it.
func sizeText(n int64) string {
	for i, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if factor := int64(1) << (40 - 10*i); n != 0 && n%factor == 0 {
			return fmt.Sprint(n/factor, unit)
		}
	}
	return fmt.Sprint(n)
}
