package main

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decodeError gives an error of the YAML decoder the form that all errors of a configuration have: file, line, key, and what is
// wrong.
func decodeError(path string, data []byte, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %s", path, strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	key := keyAt(data, at.GetToken().Position)
	where := fmt.Sprintf("%s:%d: ", path, at.GetToken().Position.Line)
	if key != "" {
		where += key + ": "
	}
	_, unknown := errors.AsType[*yaml.UnknownFieldError](err)
	mistyped, wrongType := errors.AsType[*yaml.TypeError](err)
	switch {
	case unknown && removed[withoutIndexes(key)] != "":
		return fmt.Errorf("%sis no longer a key: %s", where, removed[withoutIndexes(key)])
	case unknown:
		return fmt.Errorf("%sunknown key%s", where, suggestion(key))
	case wrongType:
		return fmt.Errorf("%swant %s", where, typeWords(mistyped.DstType))
	}
	return errors.New(where + at.GetMessage())
}

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

// keyAt returns the key, such as sources[0].name, that stands at a position, or whose value does.
func keyAt(data []byte, at *token.Position) string {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return ""
	}
	f := &finder{at: at}
	for _, doc := range file.Docs {
		ast.Walk(f, doc)
	}
	return strings.TrimPrefix(f.key, "$.")
}

type finder struct {
	at  *token.Position
	key string
}

// Visit implements ast.Visitor.
func (f *finder) Visit(node ast.Node) ast.Visitor {
	if node != nil && f.key == "" && node.GetToken() != nil && node.GetPath() != "$" {
		if p := node.GetToken().Position; p.Line == f.at.Line && p.Column == f.at.Column {
			f.key = node.GetPath()
		}
	}
	return f
}

// removed are the keys of older versions, and what to do.
var removed = map[string]string{
	"sources.labels":             "remove it; a subscription lists its sources",
	"endpoints.subscribe.labels": "list the sources in endpoints[].subscribe.sources",
	"endpoints.retry.initial":    exponential,
	"endpoints.retry.cap":        exponential,
	"endpoints.retry.multiplier": exponential,
}

const exponential = "list the waits in retry.schedule, such as [1s, 2s, 4s, 8s]; max_attempts repeats the last one"

func withoutIndexes(key string) string { return indexes.ReplaceAllString(key, "") }

var indexes = regexp.MustCompile(`\[\d+\]`)

// suggestion names the known key that an unknown one was most likely to be, or all that could stand there.
func suggestion(key string) string {
	names := strings.Split(withoutIndexes(key), ".")
	under, wrong := names[:len(names)-1], names[len(names)-1]
	known := knownKeys(under)
	if len(known) == 0 {
		return ""
	}
	nearest := slices.MinFunc(known, func(a, b string) int { return distance(wrong, a) - distance(wrong, b) })
	if distance(wrong, nearest) <= max(2, len(wrong)/3) {
		return fmt.Sprintf("; did you mean %s?", nearest)
	}
	return "; known here are " + strings.Join(known, ", ")
}

// knownKeys are the keys of the configuration under a key.
func knownKeys(under []string) (keys []string) {
	t := reflect.TypeFor[config]()
	for _, name := range slices.Concat(under, []string{""}) {
		for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return nil
		}
		keys = nil
		next := t
		for field := range t.Fields() {
			tag, isKey := field.Tag.Lookup("yaml")
			if !isKey {
				continue
			}
			keys = append(keys, tag)
			if tag == name {
				next = field.Type
			}
		}
		t = next
	}
	return keys
}

// distance is the Levenshtein distance: how many letters have to be changed, added or taken away.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
