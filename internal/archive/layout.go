package archive

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"

	"hooktape/internal/store"
)

// layout maps the rows of a table to Parquet: structs with a field for each column.
type layout struct {
	row     reflect.Type
	schema  *parquet.Schema
	columns []string
}

// Strings is the type in a file of ClickHouse's strings, which may have any bytes.
type Strings int

const (
	// Exact stores all strings as bytes (BYTE_ARRAY without a logical type), so any content is restored byte for byte
	// and any reader accepts the file.
	Exact Strings = iota
	// Readable stores only columns with received bytes (bodies, queries and the values of headers) as bytes. All other
	// strings are text (UTF8); invalid bytes become U+FFFD.
	Readable
)

// pair is a header line of a readable file.
type pair struct {
	Name  string `parquet:"name" ch:"name"`
	Value string `parquet:"value,bytes" ch:"value"`
}

// exactPair is a header line of an exact file.
type exactPair struct {
	Name  string `parquet:"name,bytes" ch:"name"`
	Value string `parquet:"value,bytes" ch:"value"`
}

// headerType is the type of columns with headers, without the white space that depends on the query.
const headerType = "Array(Tuple(nameString,valueString))"

// raw are the columns with received bytes.
var raw = map[string]bool{"body": true, "response_body": true, "record": true, "query": true}

func layoutOf(table string, columns []store.Column, as Strings, only ...string) (*layout, error) {
	l := &layout{}
	var fields []reflect.StructField
	for i, c := range columns {
		t, tag, err := fieldOf(c, as)
		if err != nil {
			return nil, fmt.Errorf("table %s, column %s: %w", table, c.Name, err)
		}
		tags := fmt.Sprintf("parquet:%q%s", c.Name+tag, innerTags(c, as))
		if len(only) > 0 && !slices.Contains(only, c.Name) {
			tags = `parquet:"-"` // read but not written
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: t, Tag: reflect.StructTag(tags)})
		l.columns = append(l.columns, c.Name)
	}
	l.row = reflect.StructOf(fields)
	l.schema = parquet.NewSchema(table, parquet.SchemaOf(reflect.New(l.row).Interface()))
	return l, nil
}

// fieldOf returns the Go type of a column's values, and the tag with their type in the file.
func fieldOf(c store.Column, as Strings) (t reflect.Type, tag string, err error) {
	t = c.Go
	text := ""
	if as == Exact && t.Kind() == reflect.String {
		text = ",bytes"
	}
	switch {
	case raw[c.Name]:
		return reflect.TypeFor[[]byte](), ",zstd", nil
	case t == reflect.TypeFor[uuid.UUID]():
		return t, ",uuid", nil
	case t == reflect.TypeFor[time.Time]():
		return t, unitOf(c.Type) + ",zstd", nil
	case t == reflect.TypeFor[*time.Time]():
		return t, ",optional" + unitOf(c.Type) + ",zstd", nil
	case strings.Join(strings.Fields(c.Type), "") == headerType && as == Exact:
		return reflect.TypeFor[[]exactPair](), ",list", nil
	case strings.Join(strings.Fields(c.Type), "") == headerType:
		return reflect.TypeFor[[]pair](), ",list", nil
	case t.Kind() == reflect.Slice && t.Elem() != reflect.TypeFor[map[string]any]():
		return t, ",list", nil
	case t.Kind() == reflect.Map:
		return t, "", nil
	case t.Kind() == reflect.Pointer:
		return t, ",optional,zstd", nil
	case strings.HasPrefix(c.Type, "LowCardinality("):
		return t, text + ",dict,zstd", nil
	case t.Kind() <= reflect.Float64 || t.Kind() == reflect.String:
		return t, text + ",zstd", nil
	}
	return nil, "", fmt.Errorf("unsupported type %s", c.Type)
}

// innerTags returns the tags for the elements of an array or a map. The maps in the arrays of otel_traces are text in
// exact files too: parquet-go has no tag for them, and OTLP allows only UTF-8 there.
func innerTags(c store.Column, as Strings) (tags string) {
	inner := func(tag string, t reflect.Type) {
		if as == Exact && t.Kind() == reflect.String {
			tags += " " + tag + `:",bytes"`
		}
	}
	switch {
	case c.Go == reflect.TypeFor[[]time.Time]():
		return fmt.Sprintf(" parquet-element:%q", unitOf(c.Type))
	case c.Go.Kind() == reflect.Slice:
		inner("parquet-element", c.Go.Elem())
	case c.Go.Kind() == reflect.Map:
		inner("parquet-key", c.Go.Key())
		inner("parquet-value", c.Go.Elem())
	}
	return tags
}

// unitOf returns the unit of a type's times; whole seconds have no unit in Parquet.
func unitOf(clickhouseType string) string {
	switch {
	case strings.Contains(clickhouseType, "DateTime64(9"):
		return ",timestamp(nanosecond)"
	case strings.Contains(clickhouseType, "DateTime64(6"):
		return ",timestamp(microsecond)"
	}
	return ",timestamp(millisecond)"
}

// values returns a row of an exact layout in the form that an insert needs.
func values(row reflect.Value) []any {
	list := make([]any, row.NumField())
	for i := range list {
		list[i] = row.Field(i).Interface()
		if pairs, ok := list[i].([]exactPair); ok {
			tuples := make([][]string, len(pairs))
			for j, p := range pairs {
				tuples[j] = []string{p.Name, p.Value}
			}
			list[i] = tuples
		}
	}
	return list
}
