package archive_test

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"hooktape/internal/archive"
	"hooktape/internal/store"
)

// TestTypes verifies that a type is recognized in each spelling of the server, and that an unknown type is refused with
// its name.
func TestTypes(t *testing.T) {
	tuples := reflect.TypeFor[[]map[string]any]()
	for _, c := range []store.Column{
		{Name: "headers", Type: "Array(Tuple(name String, value String))", Go: tuples},
		{Name: "headers", Type: "Array(Tuple(\n    name String,\n    value String))", Go: tuples},
	} {
		if _, err := archive.NewWriter(io.Discard, "t", []store.Column{c}, archive.Exact); err != nil {
			t.Errorf("%q: %v", c.Type, err)
		}
	}
	for _, c := range []store.Column{
		{Name: "x", Type: "Array(Tuple(a String, b UInt8))", Go: tuples},
		{Name: "x", Type: "Point", Go: reflect.TypeFor[struct{ X, Y float64 }]()},
	} {
		if _, err := archive.NewWriter(io.Discard, "t", []store.Column{c}, archive.Exact); err == nil ||
			!strings.Contains(err.Error(), "table t, column x: "+"unsupported type "+c.Type) {
			t.Errorf("%s: %v", c.Type, err)
		}
	}
}
