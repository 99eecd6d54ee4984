package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"hooktape/internal/store"
)

// formats parse values with a format of their own.
var formats = []yaml.DecodeOption{
	yaml.DisallowUnknownField(),
	reads("no duration such as 500ms, 10s or 72h", time.ParseDuration),
	reads("no size such as 512KiB, 8MiB or 10GiB", parseSize),
	reads("no network such as 10.0.0.0/8", netip.ParsePrefix),
	reads(fmt.Sprintf("no number of days from 1d to %s, nor forever", store.MaxDays), store.ParseDays),
}

// reads returns a decode option that parses every value of type T. A value that cannot be parsed is a [formatError].
func reads[T any](fault string, parse func(string) (T, error)) yaml.DecodeOption {
	return yaml.CustomUnmarshaler(func(value *T, data []byte) error {
		text := strings.TrimSpace(string(data))
		_ = yaml.Unmarshal(data, &text) // fails for a list or a map, whose text stays as it is
		parsed, err := parse(text)
		if err != nil {
			return &formatError{reflect.TypeFor[T](), text, fmt.Sprintf("%q is %s", text, fault)}
		}
		*value = parsed
		return nil
	})
}

// formatError is a value that cannot be parsed as its type. It does not know its position.
type formatError struct {
	want  reflect.Type
	text  string
	fault string
}

// Error implements error.
func (e *formatError) Error() string { return e.fault }

// at reports whether a node has the same text and type as the value.
func (e *formatError) at(node ast.Node) bool {
	text := node.String()
	_ = yaml.NodeToValue(node, &text)
	return text == e.text && typeAt(strings.TrimPrefix(node.GetPath(), "$.")) == e.want
}

// parseSize parses a number of bytes: 1048576, 64KiB, 8MiB, 1.5GiB.
func parseSize(text string) (int64, error) {
	n, err := humanize.ParseBytes(text)
	if err == nil && n > math.MaxInt64 {
		err = strconv.ErrRange
	}
	return int64(n), err
}

// decodeError converts an error of the YAML decoder to the form of all errors of a configuration: file, line, key and
// fault.
func decodeError(path string, text []byte, err error) error {
	key, position := locate(text, err)
	fault := decodeFault(key, err)
	if key != "" {
		fault = key + ": " + fault
	}
	if position != nil {
		path = fmt.Sprintf("%s:%d", path, position.Line)
	}
	return fmt.Errorf("%s: %s", path, fault)
}

// locate returns the key, such as sources[0].name, and the position of an error; empty and nil if they are unknown.
func locate(text []byte, err error) (key string, position *token.Position) {
	var is func(ast.Node) bool
	var decoding yaml.Error
	if format, ok := errors.AsType[*formatError](err); ok {
		is = format.at
	} else if _, ok := errors.AsType[*yaml.UnknownFieldError](err); ok {
		is = unknownKey // the first in the file: of several the decoder reports any
	} else if errors.As(err, &decoding) && decoding.GetToken() != nil {
		position = decoding.GetToken().Position
		is = func(node ast.Node) bool {
			p := node.GetToken().Position
			return p.Line == position.Line && p.Column == position.Column
		}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil || is == nil {
		return "", position
	}
	for _, doc := range file.Docs {
		ast.Walk(visitor(func(node ast.Node) {
			if key == "" && node.GetToken() != nil && node.GetPath() != "$" && is(node) {
				key = strings.TrimPrefix(node.GetPath(), "$.")
				position = node.GetToken().Position
			}
		}), doc)
	}
	return key, position
}

// unknownKey reports whether a node belongs to a key that the configuration does not have.
func unknownKey(node ast.Node) bool {
	key := strings.TrimPrefix(node.GetPath(), "$.")
	return typeAt(key) == nil && !strings.Contains(key, "<<")
}

// decodeFault returns what is wrong with a key.
func decodeFault(key string, err error) string {
	_, unknown := errors.AsType[*yaml.UnknownFieldError](err)
	mistyped, wrongType := errors.AsType[*yaml.TypeError](err)
	var decoding yaml.Error
	switch hint := removed[indexes.ReplaceAllString(key, "")]; {
	case unknown && hint != "":
		return "is no longer a key: " + hint
	case unknown:
		return "unknown key" + suggestion(key)
	case wrongType:
		return "want " + typeWords(mistyped.DstType)
	case errors.As(err, &decoding):
		return otherPosition.ReplaceAllString(decoding.GetMessage(), "line $1")
	}
	return err.Error()
}

// otherPosition is how the decoder refers to another position, such as the first of two equal keys.
var otherPosition = regexp.MustCompile(`\[(\d+):\d+\]`)

func typeWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64, reflect.Float64:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "keys with values"
	}
	return "a text"
}

// removed has the keys that older versions had, and what to do.
var removed = map[string]string{
	"sources.labels":             "remove it; a subscription lists its sources",
	"endpoints.subscribe.labels": "list the sources in endpoints[].subscribe.sources",
	"endpoints.retry.initial":    exponential,
	"endpoints.retry.cap":        exponential,
	"endpoints.retry.multiplier": exponential,
}

const exponential = "list the waits in retry.schedule, such as [1s, 2s, 4s, 8s]; max_attempts repeats the last one"

var indexes = regexp.MustCompile(`\[\d+\]`)

// suggestion returns a hint with the keys that are known where an unknown one is.
func suggestion(key string) string {
	under := key[:max(strings.LastIndexByte(key, '.'), 0)]
	known, _ := keysOf(typeAt(under))
	if len(known) == 0 {
		return ""
	}
	return "; known here are " + strings.Join(known, ", ")
}

// typeAt returns the type of the value of a key, and of a list the type of its elements; nil if there is no such key.
func typeAt(key string) reflect.Type {
	t := reflect.TypeFor[Config]()
	for name := range strings.SplitSeq(indexes.ReplaceAllString(key, ""), ".") {
		if name != "" {
			_, types := keysOf(t)
			t = types[name]
		}
		for t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer) {
			t = t.Elem()
		}
	}
	return t
}

// keysOf returns the keys of a struct, in order, and the types of their values.
func keysOf(t reflect.Type) (names []string, types map[string]reflect.Type) {
	types = map[string]reflect.Type{}
	if t == nil || t.Kind() != reflect.Struct {
		return nil, types
	}
	for field := range t.Fields() {
		tag := field.Tag.Get("yaml")
		switch {
		case tag == ",inline":
			inner, innerTypes := keysOf(field.Type)
			names = append(names, inner...)
			maps.Copy(types, innerTypes)
		case tag != "" && tag != "-":
			names = append(names, tag)
			types[tag] = field.Type
		}
	}
	return names, types
}
